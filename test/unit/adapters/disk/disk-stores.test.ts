import { mkdtemp, readdir, rm, stat, truncate, writeFile, appendFile, open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { diskStores, type DiskStores } from '../../../../src/adapters/disk/index.ts';
import type { LogRef } from '../../../../src/adapters/ports.ts';

const ref: LogRef = { pipeline: 'table/7', job: 'build: [arm64]', attempt: 1 };
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('utf8');
const bytes = (value: string): Uint8Array => Buffer.from(value);
const crcHex = (value: Uint8Array): string => crc32(value).toString(16).padStart(8, '0');

let folder: string;
let stores: DiskStores;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'davit-disk-'));
  stores = await diskStores(folder);
});
afterEach(async () => {
  await stores.close();
  await rm(folder, { recursive: true, force: true });
});
const reopen = async (): Promise<void> => {
  await stores.close();
  stores = await diskStores(folder);
};
async function logFiles(): Promise<{ log: string; state: string }> {
  const names = await readdir(join(folder, 'logs', 'table', '7'));
  const path = (end: string): string =>
    join(folder, 'logs', 'table', '7', names.find((name) => name.endsWith(end)) ?? 'none');
  return { log: path('.log'), state: path('.state') };
}

describe('blobs', () => {
  test('bytes and streams are stored under the digest of their content', async () => {
    const digest = await stores.blobs.putBytes(bytes('hello'));
    expect(digest).toBe('sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824');
    const put = await stores.blobs.putStream(Readable.from([bytes('hel'), bytes('lo')]));
    expect(put).toEqual({ digest, bytes: 5 });
    expect(text(await stores.blobs.getBytes(digest))).toBe('hello');
    expect(await stores.blobs.has(digest)).toBe(true);
    await expect(stores.blobs.getBytes(digest, 4)).rejects.toMatchObject({ code: 'blob/too-large' });
  });

  test('a stream that fails leaves nothing behind', async () => {
    const broken = Readable.from(
      (async function* () {
        yield bytes('half');
        throw new Error('the wire broke');
      })(),
    );
    await expect(stores.blobs.putStream(broken)).rejects.toThrow();
    expect(await readdir(join(folder, 'scratch'))).toEqual([]);
  });

  test('missing and malformed digests are coded errors', async () => {
    const none = `sha256:${'0'.repeat(64)}` as const;
    await expect(stores.blobs.getStream(none)).rejects.toMatchObject({ code: 'blob/missing' });
    expect(await stores.blobs.has(none)).toBe(false);
    await expect(stores.blobs.getBytes('sha256:../../etc/passwd')).rejects.toMatchObject({
      code: 'usage/invalid',
    });
  });

  test('a folder has one owner at a time', async () => {
    await expect(diskStores(folder)).rejects.toMatchObject({ code: 'store/in-use' });
    await reopen();
  });

  test('other users cannot read the folder, and leftovers of a previous process are removed', async () => {
    expect((await stat(folder)).mode & 0o077).toBe(0);
    await writeFile(join(folder, 'scratch', 'left'), 'x');
    await reopen();
    expect(await readdir(join(folder, 'scratch'))).toEqual([]);
  });
});

describe('records', () => {
  test('the first writer wins, also among many at once', async () => {
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, n) => stores.records.putIfAbsent('claims/table/abc', { n })),
    );
    expect(answers.filter((answer) => answer.created)).toHaveLength(1);
    expect(new Set(answers.map((answer) => answer.value.n)).size).toBe(1);
  });

  test('put replaces, get of a missing record is undefined, a name and a folder of names do not collide', async () => {
    expect(await stores.records.get('a')).toBeUndefined();
    await stores.records.put('a', 1);
    await stores.records.put('a/b', 2);
    await stores.records.put('a', 3);
    expect([await stores.records.get('a'), await stores.records.get('a/b')]).toEqual([3, 2]);
  });

  test('lists are newest first and bounded', async () => {
    for (const n of [1, 2, 10]) await stores.records.put(`pipelines/table/${String(n).padStart(8, '0')}`, n);
    await stores.records.put('pipelines/chair/00000001', 1);
    expect(await stores.records.list('pipelines/table', 2)).toEqual([
      'pipelines/table/00000010',
      'pipelines/table/00000002',
    ]);
    expect(await stores.records.list('pipelines', 10)).toHaveLength(4);
    expect(await stores.records.list('nothing', 10)).toEqual([]);
  });

  test.each(['', '/', '../x', 'a/../b', 'a//b', 'a/.', 'ä', 'a\0', 'a/b~'])(
    'refuses the name %j',
    async (name) => {
      await expect(stores.records.put(name, 1)).rejects.toMatchObject({ code: 'usage/invalid' });
    },
  );

  test('numbers are assigned once, consecutively, and the same claim gets the same', async () => {
    const claims = Array.from({ length: 30 }, (_, n) => `claim ${n % 10}`);
    const given = await Promise.all(claims.map((claim) => stores.records.allocate('jobs', claim, 3)));
    await reopen();
    const again = await Promise.all(claims.map((claim) => stores.records.allocate('jobs', claim, 3)));
    expect(again).toEqual(given);
    expect([...new Set(given)].toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: 10 }, (_, n) => 1 + 3 * n),
    );
    expect(await stores.records.allocate('jobs', 'one more', 1)).toBe(31);
  });

  test('a crash between the head and the claim loses no number and assigns none twice', async () => {
    await stores.records.allocate('iid-table', 'a', 1);
    await rm(join(folder, 'numbers', 'iid-table', 'claims'), { recursive: true });
    await reopen();
    expect(await stores.records.allocate('iid-table', 'b', 1)).toBe(2);
    expect(await stores.records.allocate('iid-table', 'a', 1)).toBe(1);
  });
});

describe('logs', () => {
  test('appends, repeats, gaps, other bytes, lower epochs', async () => {
    await stores.logs.open(ref, 1);
    await stores.logs.append(ref, { epoch: 1, offset: 0, bytes: bytes('hello ') });
    const state = await stores.logs.append(ref, { epoch: 1, offset: 6, bytes: bytes('world') });
    expect(state).toMatchObject({ offset: 11, crc: crc32('hello world'), epoch: 1, incomplete: false });
    expect(await stores.logs.append(ref, { epoch: 1, offset: 3, bytes: bytes('lo wor') })).toEqual(state);
    expect((await stores.logs.append(ref, { epoch: 1, offset: 6, bytes: bytes('world!') })).offset).toBe(12);
    const refused = (epoch: number, offset: number, value: string): Promise<unknown> =>
      stores.logs.append(ref, { epoch, offset, bytes: bytes(value) });
    await expect(refused(1, 13, 'x')).rejects.toMatchObject({ code: 'log/offset' });
    await expect(refused(1, 0, 'jello')).rejects.toMatchObject({ code: 'log/offset' });
    await stores.logs.open(ref, 2);
    await expect(refused(1, 12, 'x')).rejects.toMatchObject({ code: 'log/fenced' });
    await expect(stores.logs.open(ref, 1)).rejects.toMatchObject({ code: 'log/fenced' });
    expect(text((await stores.logs.read(ref, 6, 100)).bytes)).toBe('world!');
    expect((await stores.logs.read(ref, 99, 100)).bytes).toHaveLength(0);
  });

  test('the end is final: a repeat returns it, new bytes are refused', async () => {
    await stores.logs.open(ref, 1);
    await stores.logs.append(ref, { epoch: 1, offset: 0, bytes: bytes('all') });
    const wrong = { bytes: 4, crc: crcHex(bytes('all')), complete: true };
    await expect(stores.logs.end(ref, { epoch: 1, summary: wrong })).rejects.toMatchObject({
      code: 'log/offset',
    });
    const summary = { bytes: 3, crc: crcHex(bytes('all')), complete: false };
    const state = await stores.logs.end(ref, { epoch: 1, summary });
    expect(state).toMatchObject({ ended: summary, incomplete: true });
    expect(await stores.logs.end(ref, { epoch: 2, summary })).toMatchObject({ ended: summary });
    await expect(stores.logs.append(ref, { epoch: 2, offset: 3, bytes: bytes('x') })).rejects.toMatchObject({
      code: 'log/fenced',
    });
  });

  test('the last bytes may carry the end: durable together, once, and never complete if bytes are missing', async () => {
    await stores.logs.open(ref, 1);
    const chunk = { epoch: 1, offset: 0, bytes: bytes('all'), end: { complete: true } };
    const summary = { bytes: 3, crc: crcHex(bytes('all')), complete: true };
    expect(await stores.logs.append(ref, chunk)).toMatchObject({ ended: summary, incomplete: false });
    expect(await stores.logs.append(ref, { ...chunk, end: { complete: false } })).toMatchObject({
      ended: summary,
    });
    await expect(stores.logs.append(ref, { ...chunk, offset: 3 })).rejects.toMatchObject({
      code: 'log/fenced',
    });
    await stores.close();
    stores = await diskStores(folder);
    expect((await stores.logs.state(ref))?.ended).toEqual(summary);
    const other = { ...ref, attempt: 2 };
    await stores.logs.open(other, 1);
    const state = await stores.logs.append(other, { ...chunk, end: { complete: false } });
    expect(state).toMatchObject({ ended: { complete: false }, incomplete: true });
  });

  test('a checkpoint outlives the process, an older one does not replace it', async () => {
    const at = (offset: number) => ({
      engineTime: `2026-01-01T00:00:00.00000000${offset}Z`,
      recordsAtTime: 1,
      offset,
    });
    await stores.logs.open(ref, 1);
    await stores.logs.append(ref, { epoch: 1, offset: 0, bytes: bytes('abcdef'), checkpoint: at(5) });
    await stores.logs.append(ref, { epoch: 1, offset: 0, bytes: bytes('abc'), checkpoint: at(3) });
    await reopen();
    expect((await stores.logs.open(ref, 2)).checkpoint).toEqual(at(5));
    await expect(
      stores.logs.append(ref, { epoch: 2, offset: 6, bytes: bytes('g'), checkpoint: at(8) }),
    ).rejects.toMatchObject({ code: 'usage/invalid' });
  });

  test('logs that were never opened', async () => {
    expect(await stores.logs.state(ref)).toBeUndefined();
    await expect(stores.logs.read(ref, 0, 1)).rejects.toMatchObject({ code: 'not-found' });
    await expect(stores.logs.append(ref, { epoch: 1, offset: 0, bytes: bytes('x') })).rejects.toMatchObject({
      code: 'log/offset',
    });
    await expect(stores.logs.open({ ...ref, pipeline: '.. etc/1' }, 1)).rejects.toMatchObject({
      code: 'usage/invalid',
    });
  });

  test('followers are notified of every durable change', async () => {
    const seen: number[] = [];
    const stop = stores.logs.watch(ref, (state) => seen.push(state.offset));
    await stores.logs.open(ref, 1);
    await stores.logs.append(ref, { epoch: 1, offset: 0, bytes: bytes('ab') });
    stop();
    await stores.logs.append(ref, { epoch: 1, offset: 2, bytes: bytes('cd') });
    expect(seen).toEqual([0, 2]);
  });

  test('more logs than files may be open at once', async () => {
    const many = Array.from({ length: 300 }, (_, n) => ({ ...ref, job: `job ${n}` }));
    for (const one of many) await stores.logs.open(one, 1);
    await Promise.all(
      many.map((one) => stores.logs.append(one, { epoch: 1, offset: 0, bytes: bytes(one.job) })),
    );
    for (const one of many) expect(text((await stores.logs.read(one, 0, 100)).bytes)).toBe(one.job);
  });
});

describe('logs after a crash', () => {
  test('bytes that were never acknowledged are cut off', async () => {
    await stores.logs.open(ref, 1);
    await stores.logs.append(ref, { epoch: 1, offset: 0, bytes: bytes('durable') });
    await stores.close();
    await appendFile((await logFiles()).log, 'torn');
    stores = await diskStores(folder);
    expect(await stores.logs.open(ref, 2)).toMatchObject({
      offset: 7,
      crc: crc32('durable'),
      incomplete: false,
    });
  });

  test('a torn slot is replaced by the previous one', async () => {
    await stores.logs.open(ref, 1);
    await stores.logs.append(ref, { epoch: 1, offset: 0, bytes: bytes('first') });
    await stores.logs.append(ref, { epoch: 1, offset: 5, bytes: bytes('second') });
    await stores.close();
    const { state } = await logFiles();
    // The third change is in the slot of odd numbers.
    const handle = await open(state, 'r+');
    await handle.write('torn', 4_096 + 20);
    await handle.close();
    stores = await diskStores(folder);
    expect(await stores.logs.state(ref)).toMatchObject({ offset: 5, crc: crc32('first'), incomplete: false });
  });

  test('missing bytes are reported', async () => {
    await stores.logs.open(ref, 1);
    await stores.logs.append(ref, { epoch: 1, offset: 0, bytes: bytes('first') });
    await stores.close();
    await truncate((await logFiles()).log, 3);
    stores = await diskStores(folder);
    expect(await stores.logs.state(ref)).toMatchObject({ offset: 3, crc: crc32('fir'), incomplete: true });
    expect(await stores.logs.append(ref, { epoch: 1, offset: 3, bytes: bytes('st') })).toMatchObject({
      offset: 5,
      incomplete: true,
    });
  });

  test('bytes that were changed from outside are kept and marked incomplete', async () => {
    await stores.logs.open(ref, 3);
    await stores.logs.append(ref, { epoch: 3, offset: 0, bytes: bytes('first') });
    await stores.close();
    const handle = await open((await logFiles()).log, 'r+');
    await handle.write('F', 0);
    await handle.close();
    stores = await diskStores(folder);
    expect(await stores.logs.state(ref)).toMatchObject({ offset: 5, incomplete: true, epoch: 3 });
    await expect(stores.logs.open(ref, 2)).rejects.toMatchObject({ code: 'log/fenced' });
  });
});

describe('any sequence of calls', () => {
  const call = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        kind: fc.constant('append' as const),
        epoch: fc.integer({ min: 1, max: 4 }),
        back: fc.integer({ min: -2, max: 6 }),
        value: fc.string({ maxLength: 5 }),
        true: fc.boolean(),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant('open' as const), epoch: fc.integer({ min: 1, max: 4 }) }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('reopen' as const) }) },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant('torn' as const),
        junk: fc.string({ minLength: 1, maxLength: 9 }),
      }),
    },
  );
  test('holds what was acknowledged, and nothing else', { timeout: 60_000 }, async () => {
    let run = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(call, { maxLength: 25 }), async (calls) => {
        run += 1;
        const own: LogRef = { pipeline: 'table/7', job: `property ${run}`, attempt: run };
        await stores.logs.open(own, 1);
        let held = Buffer.alloc(0);
        let epoch = 1;
        for (const one of calls) {
          if (one.kind === 'reopen') await reopen();
          else if (one.kind === 'torn') {
            await stores.close();
            const names = await readdir(join(folder, 'logs', 'table', '7'));
            const mine = names.find((name) => name.endsWith(`-${run}.log`));
            await appendFile(join(folder, 'logs', 'table', '7', mine ?? ''), one.junk);
            stores = await diskStores(folder);
          } else if (one.kind === 'open') {
            const opened = stores.logs.open(own, one.epoch);
            if (one.epoch < epoch) await expect(opened).rejects.toMatchObject({ code: 'log/fenced' });
            else epoch = (await opened).epoch;
          } else {
            const offset = Math.max(0, held.length - one.back);
            const overlap = one.true ? held.subarray(offset) : Buffer.alloc(0);
            const chunk = Buffer.concat([overlap, Buffer.from(one.value)]);
            const expected = Buffer.concat([held.subarray(0, offset), chunk]);
            const shorter = Math.min(held.length, expected.length);
            const agrees = held.subarray(0, shorter).equals(expected.subarray(0, shorter));
            const appended = stores.logs.append(own, { epoch: one.epoch, offset, bytes: chunk });
            if (one.epoch < epoch) await expect(appended).rejects.toMatchObject({ code: 'log/fenced' });
            else if (offset > held.length || !agrees)
              await expect(appended).rejects.toMatchObject({ code: 'log/offset' });
            else {
              epoch = (await appended).epoch;
              if (expected.length > held.length) held = expected;
            }
          }
          const state = await stores.logs.state(own);
          expect(state).toMatchObject({ offset: held.length, crc: crc32(held), epoch, incomplete: false });
        }
        expect(Buffer.from((await stores.logs.read(own, 0, 1_000)).bytes).equals(held)).toBe(true);
      }),
      { numRuns: 60 },
    );
  });
});
