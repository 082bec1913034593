/** scripts/keep-running.sh with a `node` that behaves like a worker. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { ROOT } from '../../support/source.ts';

let folder = '';
let child: ChildProcess;
const path = (name: string): string => join(folder, name);
const appears = (name: string): Promise<void> =>
  vi.waitFor(() => expect(existsSync(path(name))).toBe(true), { timeout: 20_000, interval: 10 });

function start(node: string): Promise<unknown[]> {
  writeFileSync(path('node'), `#!/bin/sh\ncd ${folder}\n${node}\n`, { mode: 0o755 });
  child = spawn('sh', [join(ROOT, 'scripts', 'keep-running.sh'), 'worker', '--control'], {
    env: { PATH: [folder, process.env.PATH].join(delimiter), DAVIT_READY_FILE: path('ready') },
    stdio: 'ignore',
  });
  return once(child, 'exit');
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'davit-keep-running-'));
});
afterEach(() => {
  child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

describe('keep-running.sh', () => {
  test('restarts a worker that has ended, and removes its ready file', async () => {
    void start('echo "$*" >> starts; : > ready; exit 3');
    await vi.waitFor(() => expect(readFileSync(path('starts'), 'utf8').split('\n')).toHaveLength(3), {
      timeout: 30_000,
    });
    await vi.waitFor(() => expect(existsSync(path('ready'))).toBe(false), { timeout: 20_000 });
    expect(readFileSync(path('starts'), 'utf8')).toContain('main.ts worker --control');
  });

  test('forwards SIGTERM, waits for the end, and exits with its code', async () => {
    const ended = start(
      'trap ": > told; until [ -e may-end ]; do sleep 0.05; done; : > handed-over; exit 7" TERM\n: > up\nwhile :; do sleep 0.05; done',
    );
    await appears('up');
    child.kill('SIGTERM');
    await appears('told');
    expect(child.exitCode).toBeNull();
    writeFileSync(path('may-end'), '');
    expect(await ended).toEqual([7, null]);
    expect(existsSync(path('handed-over'))).toBe(true);
  });

  test('ends at once if it is stopped between two starts', async () => {
    const ended = start('echo >> starts; exit 1');
    await appears('starts');
    // It has ended, or ends now: in both cases nothing is restarted.
    child.kill('SIGTERM');
    await ended;
    expect(readFileSync(path('starts'), 'utf8')).toBe('\n');
  });
});
