/** Output that nobody reads, and output that cannot be written: what the process exits with. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, openSync, closeSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Output } from '../../../src/cli/output.ts';

const MAIN = join(import.meta.dirname, '..', '..', '..', 'src', 'cli', 'main.ts');
let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'davit-test-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const file = (text: string): void => writeFileSync(join(folder, '.gitlab-ci.yml'), text);
const VALID = 'a: {image: alpine, script: "true"}\n';
const INVALID = 'a: {image: alpine}\n';

type Target = 'pipe' | number;
async function exitOf(
  args: string[],
  { out, err, leave }: { out: Target; err: Target; leave: ('out' | 'err')[] },
): Promise<{ exit: number | null; err: string }> {
  const child = spawn(process.execPath, [MAIN, ...args], {
    cwd: folder,
    env: { PATH: process.env.PATH, DAVIT_HOME: folder, DAVIT_CACHE: folder },
    stdio: ['ignore', out, err],
  });
  if (leave.includes('out')) child.stdout?.destroy();
  else child.stdout?.resume();
  let told = '';
  if (leave.includes('err')) child.stderr?.destroy();
  else child.stderr?.on('data', (piece: Buffer) => (told += String(piece)));
  const [code] = (await once(child, 'close')) as [number | null];
  return { exit: code, err: told };
}
const unread = { out: 'pipe', err: 'pipe', leave: ['out'] } as const;

describe('a reader that has left', () => {
  test.each([
    ['a file with mistakes', INVALID, ['lint'], 2],
    ['a file with mistakes, as JSON', INVALID, ['lint', '--json'], 2],
    ['a plan that cannot be made', INVALID, ['plan'], 2],
    ['a valid file', VALID, ['lint'], 0],
    ['more than a pipe buffers', VALID, ['schema'], 0],
  ])('%s: the exit code is the verdict', async (_, text, args, exit) => {
    file(text);
    expect((await exitOf(args, { ...unread, leave: [...unread.leave] })).exit).toBe(exit);
  });

  test('of both outputs', async () => {
    file(INVALID);
    const gone = { out: 'pipe', err: 'pipe', leave: ['out', 'err'] } as const;
    expect((await exitOf(['lint'], { ...gone, leave: [...gone.leave] })).exit).toBe(2);
    expect((await exitOf(['plan'], { ...gone, leave: [...gone.leave] })).exit).toBe(2);
  });
});

test('a full disk is never success, and is told', async () => {
  file(VALID);
  const full = openSync('/dev/full', 'w');
  try {
    const { exit, err } = await exitOf(['plan', '--json'], { out: full, err: 'pipe', leave: [] });
    expect(exit).toBe(3);
    expect(err).toMatch(/^Standard output cannot be written: .*ENOSPC.* \[cli\/output\]/);
  } finally {
    closeSync(full);
  }
});

test('says once that it is closed, and writes nothing after that', async () => {
  const written: string[] = [];
  const out = new Writable({
    decodeStrings: false,
    write(text: string, _encoding, done) {
      written.push(text);
      done(written.length < 2 ? null : Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
    },
  });
  const output = new Output(out, new Writable());
  let closed = 0;
  output.closed.addEventListener('abort', () => (closed += 1));
  output.write('a');
  output.write('b');
  await once(output.closed, 'abort');
  output.write('c');
  await output.flush();
  expect([written, closed, output.failure]).toEqual([['a', 'b'], 1, undefined]);
});
