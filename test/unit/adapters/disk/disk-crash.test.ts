import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { diskStores } from '../../../../src/adapters/disk/index.ts';
import { line } from '../../../support/disk-child.ts';

const CHILD = join(import.meta.dirname, '..', '..', '..', 'support', 'disk-child.ts');
const ref = { pipeline: 'table/1', job: 'a job', attempt: 1 } as const;

let folder: string;
let child: ChildProcess | undefined;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'davit-crash-'));
});
afterEach(async () => {
  child?.kill('SIGKILL');
  await rm(folder, { recursive: true, force: true });
});

/** The child's output, line by line. */
const said = (from: ChildProcess): AsyncIterator<string> => {
  if (!from.stdout) throw new Error('the child has no output');
  return createInterface({ input: from.stdout })[Symbol.asyncIterator]();
};

test('kill -9 at any moment: acknowledged data exists, existing data was written, no number is assigned twice', {
  timeout: 60_000,
}, async () => {
  const numbers = new Map<number, number>();
  for (let round = 1; round <= 6; round += 1) {
    const one = spawn(process.execPath, [CHILD, 'append', folder, String(round)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    child = one;
    const answers = said(one);
    let acknowledged = 0;
    for (let n = 0; n < 10 + round * 7; n += 1) {
      const { value } = await answers.next();
      const answer: { offset: number; n: number; first: number } = JSON.parse(String(value));
      acknowledged = answer.offset;
      expect(numbers.get(answer.n) ?? answer.first).toBe(answer.first);
      numbers.set(answer.n, answer.first);
    }
    one.kill('SIGKILL');
    await once(one, 'close');
    const stores = await diskStores(folder);
    const state = await stores.logs.state(ref);
    expect(state?.offset).toBeGreaterThanOrEqual(acknowledged);
    expect(state).toMatchObject({ incomplete: false, epoch: round });
    let expected = '';
    for (let n = 0; expected.length < (state?.offset ?? 0); n += 1) expected += line(n);
    expect(Buffer.from((await stores.logs.read(ref, 0, 1_000_000)).bytes).toString()).toBe(expected);
    expect(await readdir(join(folder, 'scratch'))).toEqual([]);
    await stores.close();
  }
  expect(new Set(numbers.values()).size).toBe(numbers.size);
});

test('no disk space: it is reported, everything else works, and it recovers without a restart', {
  timeout: 30_000,
}, async () => {
  // A limit on the size of files is a full disk for one process (120 blocks of 512 bytes).
  const script = `ulimit -S -f 120 && exec "${process.execPath}" "${CHILD}" full "${folder}"`;
  const one = spawn('/bin/sh', ['-c', script], { stdio: ['pipe', 'pipe', 'inherit'] });
  child = one;
  const answers = said(one);
  expect(JSON.parse(String((await answers.next()).value))).toEqual({
    codes: ['store/no-space', 'store/no-space'],
    small: expect.stringMatching(/^sha256:/),
    record: 1,
    read: 32_768,
    offset: 32_768,
  });
  execFileSync('prlimit', ['--pid', String(one.pid), '--fsize=unlimited']);
  one.stdin?.write('go on\n');
  expect(JSON.parse(String((await answers.next()).value))).toEqual({
    offset: 65_536,
    right: true,
    incomplete: false,
  });
  expect(await readdir(join(folder, 'scratch'))).toEqual([]);
});
