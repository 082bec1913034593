import { randomUUID } from 'node:crypto';
import { containersOf, HERE_IS_ALL, startOnLost, untilGone, untilLost } from './06-host-lost.ts';
import { make } from './35-orphans.ts';
import { atEffect, countFile, expectThat, expectWhole, note, type Row } from './row.ts';

const LINES = 5;
/**
 * A machine that was declared lost returns with its worker and its script still running: their late writes
 * are refused. Then its worker starts again: it removes its leftovers before it takes new work, and keeps
 * foreign objects.
 */
export const hostReturns: Row = {
  row: 7,
  fault: 'the machine returns after it was declared lost',
  moment: 'later',
  separate: HERE_IS_ALL,
  long: true,
  async run(world) {
    const { client, processes, engine, history } = world;
    const id = await startOnLost(world, 7);
    const foreign = await make(world, { count: 2, installation: randomUUID(), run: randomUUID() });
    note(world, 7, `the machine of ${id} stands still, and is cut off`);
    processes.arch.freeze();
    const borders = ['arch>temporal', 'arch>server', 'arch>engine'].map((name) => world.border(name));
    for (const border of borders) border.cut();
    await untilLost(world, id);
    await client.verdict(id);
    const log = await client.rawLog(id, 'count');
    const next = await client.start(world.project(7), countFile(LINES, 0.5));

    note(world, 7, `the machine of ${id} is back`);
    const written = history.events.length;
    // Temporal last: until it reports the end, the worker believes that the job is its own.
    for (const border of borders.slice(1)) border.open();
    processes.arch.thaw();
    const late = () =>
      history.events
        .slice(written)
        .filter(
          (one) => one.type === 'write' && one.pipeline === id && one.epoch === 1 && one.answer !== 'unknown',
        );
    await client.until('an answer to what it writes late', world.profile.waitMs, () =>
      late().length > 0 ? true : undefined,
    );
    const taken = late().filter((one) => one.type === 'write' && one.answer === 'ok');
    expectThat(taken.length === 0, 'late output was taken', taken);
    await processes.arch.end('SIGKILL');
    for (const border of borders) border.open();

    let left: string | undefined;
    const hook = atEffect(world, 'container create', {
      moment: 'before',
      answer: 'pass',
      act: async () => {
        left = await containersOf(world, id);
      },
    });
    await processes.arch.start();
    const back = history.now();
    await untilGone(world, id);
    const recovery = history.now() - back;
    expectWhole(world, await client.verdict(next), LINES);
    hook.disarm();
    expectThat(left === '', `new work was taken before its orphan was gone: ${left}`);
    const later = await client.rawLog(id, 'count');
    expectThat(later?.bytes === log?.bytes, 'late output stands in the log');
    const all = `${await engine.docker('ps', '-a', '--format', '{{.Names}}')}\n${await engine.docker('volume', 'ls', '-q')}`;
    for (const name of foreign) history.add({ type: 'foreign', name, there: all.includes(name) });
    return { recoveryMs: [recovery] };
  },
};
