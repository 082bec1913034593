import { describe, expect, test } from 'vitest';
import { HostIds, type Claim } from '../../../../src/server/workers/host-ids.ts';

/** An engine with its marks, as a disk keeps them. */
class Disk {
  readonly marks: string[];
  constructor(marks: readonly string[] = []) {
    this.marks = [...marks];
  }
  copy = (): Disk => new Disk(this.marks);
}

class World {
  now = 1_000_000;
  holders = new Map<string, { mark: string; hostName: string }>();
  ids = this.restarted();
  #count = 0;

  /** A server with the same book. */
  restarted(): HostIds {
    const { holders } = this;
    this.ids = new HostIds(
      {
        holderOf: (id) => holders.get(id),
        keep: async (id, holder) => void holders.set(id, holder),
      },
      () => this.now,
    );
    return this.ids;
  }

  /** A worker process that has left its mark. */
  worker(disk: Disk, { host, way = host }: { host: string; way?: string }) {
    const own = `mark-${++this.#count}`;
    disk.marks.unshift(own);
    const id = `${host}/${own}`;
    return {
      id,
      disk,
      claim: (): Claim => ({
        id,
        hostId: 'the-id',
        hostName: host,
        marks: { own, seen: [...disk.marks], way },
      }),
      report: () =>
        this.ids.answer({ id, hostId: 'the-id', hostName: host, marks: { own, seen: [...disk.marks], way } }),
    };
  }
}

describe('two machines with one davit id', () => {
  test('the copy of a disk is refused, while the other is served and while it is off', async () => {
    const world = new World();
    const disk = new Disk();
    const copy = new Disk();
    const board1 = world.worker(disk, { host: 'board1' });
    expect(await board1.report()).toEqual({});
    const board2 = world.worker(copy, { host: 'board2' });
    expect(await board2.report()).toMatchObject({
      refused: { message: expect.stringMatching(/board2 has the davit id of board1 \(the-id\)/) },
    });
    world.ids.forget(board1.id);
    world.now += 3_600_000;
    expect(await board2.report()).toMatchObject({ refused: {} });
    expect(await board1.report()).toEqual({});
  });

  test('a copy of a disk that was used before is refused once the first has started', async () => {
    const world = new World();
    const disk = new Disk();
    await world.worker(disk, { host: 'pi' }).report();
    const card = disk.copy();
    world.now += 60_000;
    expect(await world.worker(disk, { host: 'pi' }).report()).toEqual({});
    expect(await world.worker(card, { host: 'pi' }).report()).toMatchObject({
      refused: { message: expect.stringContaining('another machine with that name') },
    });
  });

  test('a copy that was made while the first was served waits, and is refused', async () => {
    const world = new World();
    const disk = new Disk();
    const board1 = world.worker(disk, { host: 'board1' });
    await board1.report();
    const board2 = world.worker(disk.copy(), { host: 'board2' });
    for (let round = 0; round < 4; round++) {
      expect(await board2.report()).toEqual({ undecided: true });
      expect(await board1.report()).toEqual({});
      world.now += 5_000;
    }
    world.now += 2_000;
    expect(await board2.report()).toMatchObject({ refused: {} });
    expect(await board1.report()).toEqual({});
  });

  test('whose copy was served while the first was silent: the first is refused when it is heard again', async () => {
    const world = new World();
    const disk = new Disk();
    const board1 = world.worker(disk, { host: 'board1' });
    await board1.report();
    const board2 = world.worker(disk.copy(), { host: 'board2' });
    world.now += 16_000;
    expect(await board2.report()).toEqual({});
    expect(await board1.report()).toMatchObject({ refused: {} });
    expect(await board2.report()).toEqual({});
  });
});

test('an engine that lacks the newest mark for a moment only is served on', async () => {
  const world = new World();
  const disk = new Disk();
  const board = world.worker(disk, { host: 'board' });
  await board.report();
  await world.worker(disk, { host: 'board' }).report();
  const all = [...disk.marks];
  for (let round = 0; round < 6; round++) {
    disk.marks.splice(0, disk.marks.length, ...(round % 3 === 2 ? all : []));
    expect(await board.report()).toEqual({});
  }
  disk.marks.length = 0;
  const answers = [await board.report(), await board.report(), await board.report()];
  expect(answers).toMatchObject([{}, {}, { refused: {} }]);
});

describe('one machine', () => {
  test('with several workers, of one process or of several machines', async () => {
    const world = new World();
    const disk = new Disk();
    const first = world.worker(disk, { host: 'board', way: 'head' });
    expect(await first.report()).toEqual({});
    const second = world.worker(disk, { host: 'board', way: 'head' });
    expect(await second.report()).toEqual({});
    const elsewhere = world.worker(disk, { host: 'board', way: 'other' });
    expect(await elsewhere.report()).toEqual({ undecided: true });
    await first.report();
    await second.report();
    expect(await elsewhere.report()).toEqual({});
    for (const one of [first, second, elsewhere]) expect(await one.report()).toEqual({});
  });

  test('whose worker was killed, and whose server restarts', async () => {
    const world = new World();
    const disk = new Disk();
    await world.worker(disk, { host: 'board' }).report();
    const second = world.worker(disk, { host: 'board' });
    expect(await second.report()).toEqual({});
    world.restarted();
    expect(await second.report()).toEqual({});
  });

  test('whose unused volumes were removed while it runs', async () => {
    const world = new World();
    const disk = new Disk();
    const first = world.worker(disk, { host: 'board' });
    await first.report();
    const second = world.worker(disk, { host: 'board' });
    await second.report();
    disk.marks.length = 0;
    expect(await first.report()).toEqual({});
    disk.marks.push(second.claim().marks?.own ?? '');
    for (let round = 0; round < 4; round++) expect(await first.report()).toEqual({});
  });

  test('whose worker is of an earlier version, or whose engine is away', async () => {
    const world = new World();
    const disk = new Disk();
    await world.worker(disk, { host: 'board' }).report();
    for (let round = 0; round < 5; round++)
      expect(await world.ids.answer({ id: 'old', hostId: 'the-id', hostName: 'board' })).toEqual({});
  });
});
