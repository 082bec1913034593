import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readSettings } from '../../../src/config.ts';
import { isSame, startMark } from '../../../src/local/process/exec.ts';
import { isStaticFor } from '../../../src/adapters/helper-image.ts';
import { ensureKeys } from '../../../src/local/setup/keys.ts';
import { stopStaleProcesses } from '../../../src/local/process/stale-processes.ts';
import { lockOwner, takeLock } from '../../../src/local/process/lock.ts';
import { choosePorts, isFree } from '../../../src/local/process/ports.ts';
import { liveRun, readRunFile, writeRunFile } from '../../../src/local/process/run-file.ts';
import { temporalArguments } from '../../../src/local/setup/temporal-server.ts';
import type { RunFile } from '../../../src/server/api.ts';

let home = '';
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'davit-test-'));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));
const settings = () => readSettings({ DAVIT_HOME: home });
const runFile = (change: Partial<RunFile>): RunFile => ({
  pid: process.pid,
  version: '0',
  startedAt: 1,
  server: 'http://127.0.0.1:1',
  temporal: '127.0.0.1:1',
  namespace: 'davit',
  registry: '127.0.0.1:1',
  helperImage: 'davit/helper:1',
  processes: [],
  ...change,
});

describe('keys', () => {
  test('are created once, for their owner only', async () => {
    const [first, second] = await Promise.all([ensureKeys(settings()), ensureKeys(settings())]);
    expect(second).toEqual(first);
    expect(await ensureKeys(settings())).toEqual(first);
    expect(first.cliToken).toMatch(/^[0-9a-f]{64}$/);
    expect(statSync(join(home, 'keys')).mode & 0o777).toBe(0o700);
    for (const name of ['installation-id', 'installation-key', 'control-token', 'cli-token'])
      expect(statSync(join(home, 'keys', name)).mode & 0o777).toBe(0o600);
  });
  test('a new installation has no token that workers share; that of an earlier version counts', async () => {
    expect(await ensureKeys(settings())).not.toHaveProperty('workerToken');
    writeFileSync(join(home, 'keys', 'worker-token'), 'the former token of all workers\n');
    expect((await ensureKeys(settings())).workerToken).toBe('the former token of all workers');
    expect(statSync(join(home, 'keys', 'worker-token')).mode & 0o777).toBe(0o600);
  });
  test('that are accessible to other users get their mode back', async () => {
    await ensureKeys(settings());
    chmodSync(join(home, 'keys', 'cli-token'), 0o644);
    await ensureKeys(settings());
    expect(statSync(join(home, 'keys', 'cli-token')).mode & 0o777).toBe(0o600);
  });
  test('cannot be made where nothing can be written: a coded error', async () => {
    writeFileSync(join(home, 'keys'), 'a file');
    await expect(ensureKeys(settings())).rejects.toMatchObject({ code: 'local/home' });
  });
});

describe('the run file', () => {
  test('is read back; a dead supervisor or a silent server counts as not alive', async () => {
    await writeRunFile(settings(), runFile({ pid: 2 ** 22 + 1 }));
    expect(await readRunFile(settings())).toMatchObject({ registry: '127.0.0.1:1' });
    expect(await liveRun(settings())).toBeUndefined();
    await writeRunFile(settings(), runFile({}));
    expect(await liveRun(settings())).toBeUndefined();
  });
  test('that is not JSON counts as missing', async () => {
    writeFileSync(join(home, 'run.json'), '{"pid":');
    expect(await readRunFile(settings())).toBeUndefined();
  });
});

describe('processes', () => {
  const sleeper = async () => {
    const child = spawn('sleep', ['60'], { stdio: 'ignore' });
    await new Promise((resolve) => child.once('spawn', resolve));
    return child;
  };
  test('are identified by their start time', async () => {
    const child = await sleeper();
    const mark = await startMark(child.pid!);
    expect(await isSame(child.pid!, mark)).toBe(true);
    expect(await isSame(child.pid!, 'ticks 1')).toBe(false);
    expect(await isSame(child.pid!, undefined)).toBe(false);
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill();
    await gone;
    expect(await isSame(child.pid!, mark)).toBe(false);
  });
  test('left by a killed supervisor are ended, others with their id are not', async () => {
    const ours = await sleeper();
    const other = await sleeper();
    const ended = new Promise((resolve) => ours.once('exit', resolve));
    await writeRunFile(
      settings(),
      runFile({
        processes: [
          { name: 'a', pid: ours.pid!, mark: await startMark(ours.pid!) },
          { name: 'b', pid: other.pid!, mark: 'ticks 1' },
          { name: 'c', pid: other.pid! },
        ],
      }),
    );
    expect(await stopStaleProcesses(settings())).toBe(1);
    await ended;
    expect(other.exitCode).toBeNull();
    other.kill();
    expect(await readRunFile(settings())).toBeUndefined();
  });
});

describe('one up per home', () => {
  test('the second is refused with the owner; after a release it can be taken', async () => {
    const release = await takeLock(home);
    expect(await lockOwner(home)).toBe(process.pid);
    await release();
    expect(await lockOwner(home)).toBeUndefined();
    const child = spawn('sleep', ['60'], { stdio: 'ignore' });
    await new Promise((resolve) => child.once('spawn', resolve));
    writeFileSync(join(home, 'up.lock'), `${child.pid}\n${await startMark(child.pid!)}`);
    await expect(takeLock(home)).rejects.toMatchObject({ code: 'local/already-up' });
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill();
    await gone;
    await (await takeLock(home))();
  });
  test('a lock whose process id belongs to another program is taken over', async () => {
    writeFileSync(join(home, 'up.lock'), '1\nticks 99999999999');
    await (await takeLock(home))();
  });
});

describe('ports', () => {
  test('a taken one is replaced, and the choice is kept', async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const address = taken.address();
    const port = typeof address === 'object' && address ? address.port : 0;
    writeFileSync(join(home, 'ports.json'), JSON.stringify({ server: port }));
    expect(await isFree(port)).toBe(false);
    const first = await choosePorts(settings());
    expect(first.server).not.toBe(port);
    expect(new Set(Object.values(first)).size).toBe(4);
    expect(JSON.parse(readFileSync(join(home, 'ports.json'), 'utf8'))).toEqual(first);
    await new Promise((resolve) => taken.close(resolve));
    expect(await choosePorts(settings())).toEqual(first);
  });
});

test('Temporal keeps its data, loses nothing, and listens on the loopback alone', () => {
  const args = temporalArguments({ home: '/h', port: 1, uiPort: 2 }).join(' ');
  for (const part of [
    '--ip 127.0.0.1',
    '--ui-ip 127.0.0.1',
    '/h/temporal-1.5.1.db',
    'journal_mode=WAL',
    'synchronous=FULL',
  ])
    expect(args).toContain(part);
  expect(args).toContain('history.transferProcessorMaxPollRPS=2000');
  expect(args).toContain('matching.longPollExpirationInterval="20s"');
});

describe('a helper binary', () => {
  /** A 64-bit little-endian ELF header with one program header of a type. */
  const elf = (machine: number, type: number): Buffer => {
    const bytes = Buffer.alloc(120);
    bytes.write('\x7fELF', 'latin1');
    bytes[4] = 2;
    bytes.writeUInt16LE(machine, 18);
    bytes.writeBigUInt64LE(64n, 32);
    bytes.writeUInt16LE(56, 54);
    bytes.writeUInt16LE(1, 56);
    bytes.writeUInt32LE(type, 64);
    return bytes;
  };
  test('is static, and of the architecture', () => {
    expect(isStaticFor(elf(62, 1), 'amd64')).toBe(true);
    expect(isStaticFor(elf(62, 3), 'amd64')).toBe(false);
    expect(isStaticFor(elf(62, 1), 'arm64')).toBe(false);
    expect(isStaticFor(Buffer.from('#!/bin/sh\n'), 'amd64')).toBe(false);
  });
});

test('what npm start knows before packages are installed', async () => {
  mkdirSync(join(home, 'x'));
  const path = join(import.meta.dirname, '..', '..', '..', 'scripts');
  const { inSync } = (await import(join(path, 'bootstrap.mjs'))) as {
    inSync(lock: object, installed: object): boolean;
  };
  const { runsTypeScript } = (await import(join(path, 'node24.mjs'))) as {
    runsTypeScript(version: string): boolean;
  };
  const lock = {
    packages: {
      '': {},
      a: { version: '1', integrity: 'x' },
      b: { version: '1', integrity: 'y', optional: true },
    },
  };
  expect(inSync(lock, { packages: { a: { version: '1', integrity: 'x' } } })).toBe(true);
  expect(inSync(lock, { packages: {} })).toBe(false);
  expect(inSync(lock, { packages: { a: { version: '2', integrity: 'x' } } })).toBe(false);
  expect(inSync(lock, { packages: { a: { version: '1', integrity: 'x' }, c: { version: '1' } } })).toBe(
    false,
  );
  expect(['v20.1.0', 'v22.17.9', 'v22.18.0', 'v23.5.0', 'v23.6.0', 'v24.0.0'].map(runsTypeScript)).toEqual([
    false,
    false,
    true,
    false,
    true,
    true,
  ]);
});
