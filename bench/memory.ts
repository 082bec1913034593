/** What davit keeps in memory, and what it does while it has nothing to do. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { childEnvironment, readSettings } from '../src/config.ts';
import { READY_MESSAGE } from '../src/local/process/managed-process.ts';
import { nodeEnvironment, SMALL_HEAP } from '../src/local/process/memory.ts';
import type { RunFile } from '../src/server/api.ts';
import type { OwnDavit } from '../test/support/davit.ts';

const MAIN = join(import.meta.dirname, '..', 'src', 'cli', 'main.ts');
/** Until what a start or a pipeline needed for a moment has been given back. */
const REST_MS = 15_000;
const IDLE_MS = 20_000;
/** USER_HZ: Linux has had 100 everywhere for decades. */
const TICKS_PER_SECOND = 100;

export interface ProcessMemory {
  name: string;
  mb: number;
}

/**
 * Proportional set size in MB: a page that N processes share counts 1/N in each, so that a sum is what all of them take.
 * Undefined where the system does not tell, or the process is gone.
 */
export function proportionalMb(pid: number): number | undefined {
  try {
    const found = /^Pss:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'));
    return found ? Number(found[1]) / 1_024 : undefined;
  } catch {
    return undefined; // no such process, or no /proc on this system
  }
}

/** As run.json says now: a process that was started again has another id. */
function processesOf(davit: OwnDavit): { name: string; pid: number }[] {
  const run = JSON.parse(readFileSync(join(davit.home, 'run.json'), 'utf8')) as RunFile;
  return [...run.processes, { name: 'davit up', pid: run.pid }];
}

/** Every process of it, at rest. */
export async function measureMemory(davit: OwnDavit): Promise<ProcessMemory[]> {
  await delay(REST_MS);
  return processesOf(davit).map(({ name, pid }) => ({ name, mb: proportionalMb(pid) ?? Number.NaN }));
}

/** Percent of a core that all processes take together while nothing happens. */
export async function measureIdle(davit: OwnDavit): Promise<number> {
  const pids = processesOf(davit).map(({ pid }) => pid);
  const ticks = (): number => pids.reduce((sum, pid) => sum + ticksOf(pid), 0);
  const before = ticks();
  await delay(IDLE_MS);
  return (((ticks() - before) / TICKS_PER_SECOND) * 100) / (IDLE_MS / 1_000);
}

/** proc(5), stat, fields 14 and 15; the name of the program is in parentheses and may hold anything. */
function ticksOf(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return Number(fields[11]) + Number(fields[12]);
}

/** A worker for activities alone, as another machine runs it, at rest. MB. */
export async function measureWorker(davit: OwnDavit): Promise<number> {
  const child = spawn(process.execPath, [...SMALL_HEAP, MAIN, 'worker', '--arch', nativeArch()], {
    env: childEnvironment({ ...nodeEnvironment(readSettings()), DAVIT_HOME: davit.home, CI: 'true' }),
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  const ended = new Promise<never>((_resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`the worker ended with ${code ?? 'a signal'}`)));
  });
  ended.catch(() => undefined); // it is ended below
  const ready = new Promise<void>((resolve) =>
    child.on('message', (message) => {
      if (message === READY_MESSAGE) resolve();
    }),
  );
  try {
    await Promise.race([ready, ended]);
    await delay(REST_MS);
    return proportionalMb(child.pid ?? 0) ?? Number.NaN;
  } finally {
    child.kill('SIGTERM');
    await ended.catch(() => undefined);
  }
}

const nativeArch = (): string => (process.arch === 'arm64' ? 'arm64' : 'amd64');
