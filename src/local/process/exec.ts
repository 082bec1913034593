/** Other programs of this machine: found on PATH, run by argument lists, never through a shell. */
import { spawn, type ChildProcess } from 'node:child_process';
import { constants } from 'node:fs';
import { access, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { childEnvironment, type Settings } from '../../config.ts';

/** Kept of a program's output: enough to say why it failed. */
const KEPT_CHARS = 64 * 1024;

export interface Finished {
  /** 127: there is no such program. */
  code: number;
  stdout: string;
  stderr: string;
}
export interface CommandOptions {
  cwd?: string;
  env?: Record<string, string | undefined>;
  /** Each line it writes, as it comes. */
  onLine?(line: string): void;
  timeoutMs?: number;
}

/** Full path of a program, or undefined. */
export async function which(settings: Pick<Settings, 'path'>, name: string): Promise<string | undefined> {
  for (const folder of [...settings.path, '/usr/sbin', '/sbin', '/usr/local/bin', '/usr/bin']) {
    const path = join(folder, name);
    try {
      await access(path, constants.X_OK);
      if ((await stat(path)).isFile()) return path;
    } catch {
      // Not in this folder: the next one is asked.
    }
  }
  return undefined;
}

/** Programs that run now: when this process ends, so do they. */
const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGTERM');
});

/** Runs a program to its end and answers what it said. Never rejects: a failure is a code. */
export function runCommand(program: string, args: string[], options: CommandOptions = {}): Promise<Finished> {
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      cwd: options.cwd,
      env: childEnvironment({ LC_ALL: 'C.UTF-8', ...options.env }),
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: options.timeoutMs,
      killSignal: 'SIGKILL',
    });
    running.add(child);
    child.once('close', () => running.delete(child));
    const said = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('utf8');
      child[name].on('data', (text: string) => {
        said[name] = (said[name] + text).slice(-KEPT_CHARS);
        if (options.onLine) for (const line of text.split('\n')) if (line.trim()) options.onLine(line.trim());
      });
    }
    child.on('error', (error: NodeJS.ErrnoException) =>
      resolve({ code: error.code === 'ENOENT' ? 127 : 126, stdout: '', stderr: error.message }),
    );
    child.on('close', (code, signal) => resolve({ code: code ?? (signal ? 137 : 1), ...said }));
  });
}

/** The last words of a failed program, in one line. */
export function lastWords(done: Finished): string {
  const lines = `${done.stdout}\n${done.stderr}`.split('\n').filter((line) => line.trim() !== '');
  return lines.slice(-3).join(' · ').slice(0, 500) || `it ended with code ${done.code}`;
}

/** True while a process of that id lives (or is another user's). */
export function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

/**
 * What tells a process from a later one with the same id: when it was started. Linux counts in ticks since boot (proc(5), stat,
 * field 22), `ps` knows the second elsewhere. Undefined when it is gone.
 */
export async function startMark(pid: number): Promise<string | undefined> {
  if (!isAlive(pid)) return undefined;
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    // The name of the program is in parentheses and may hold anything.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? undefined : `ticks ${fields[19] ?? ''}`;
  } catch {
    // No /proc on this system, or it has just ended: ps knows.
    const done = await runCommand('ps', ['-o', 'lstart=', '-p', String(pid)], { env: { TZ: 'UTC' } });
    return done.code === 0 && done.stdout.trim() ? done.stdout.trim() : undefined;
  }
}

/** True while that very process lives. */
export const isSame = async (pid: number, mark: string | undefined): Promise<boolean> =>
  mark !== undefined && (await startMark(pid)) === mark;

/** SIGTERM, and SIGKILL after the grace. Resolves when the process is gone. */
export async function endProcess(pid: number, graceMs: number): Promise<void> {
  const deadline = Date.now() + graceMs;
  signal(pid, 'SIGTERM');
  while (isAlive(pid)) {
    if (Date.now() > deadline) signal(pid, 'SIGKILL');
    if (Date.now() > deadline + 5_000) return; // it is being torn down by the kernel; nobody can do more
    await delay(20);
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It ended by itself in the meantime, which is what was wanted.
  }
}

/** Resolves when a child has ended. */
export const ended = (child: ChildProcess): Promise<void> =>
  child.exitCode !== null || child.signalCode !== null
    ? Promise.resolve()
    : new Promise((resolve) => child.once('exit', () => resolve()));
