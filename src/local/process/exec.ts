/** Runs other programs: found on PATH, called with argument lists, never through a shell. */
import { spawn, type ChildProcess } from 'node:child_process';
import { constants } from 'node:fs';
import { access, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { childEnvironment, type Settings } from '../../config.ts';
import { isAlive } from '../../utils/is-alive.ts';

/** Limit of the kept output, enough to explain a failure. */
const MAX_OUTPUT_CHARS = 64 * 1024;

export interface Finished {
  /** 127: the program does not exist. */
  code: number;
  stdout: string;
  stderr: string;
}
export interface CommandOptions {
  cwd?: string;
  env?: Record<string, string | undefined>;
  /** Called with each line of output. */
  onLine?(line: string): void;
  timeoutMs?: number;
}

/** Full path of a program; undefined if it is not installed. */
export async function which(settings: Pick<Settings, 'path'>, name: string): Promise<string | undefined> {
  for (const folder of [...settings.path, '/usr/sbin', '/sbin', '/usr/local/bin', '/usr/bin']) {
    const path = join(folder, name);
    try {
      await access(path, constants.X_OK);
      if ((await stat(path)).isFile()) return path;
    } catch {
      // Not in this folder: try the next one.
    }
  }
  return undefined;
}

/** Running programs, which end with this process. */
const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGTERM');
});

/** Runs a program to its end and returns its output. Never rejects: a failure is an exit code. */
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
    const output = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('utf8');
      child[name].on('data', (text: string) => {
        output[name] = (output[name] + text).slice(-MAX_OUTPUT_CHARS);
        if (options.onLine) for (const line of text.split('\n')) if (line.trim()) options.onLine(line.trim());
      });
    }
    child.on('error', (error: NodeJS.ErrnoException) =>
      resolve({ code: error.code === 'ENOENT' ? 127 : 126, stdout: '', stderr: error.message }),
    );
    child.on('close', (code, signal) => resolve({ code: code ?? (signal ? 137 : 1), ...output }));
  });
}

/** The last lines of output of a failed program, in one line. */
export function outputTail(done: Finished): string {
  const lines = `${done.stdout}\n${done.stderr}`.split('\n').filter((line) => line.trim() !== '');
  return lines.slice(-3).join(' · ').slice(0, 500) || `exit code ${done.code}`;
}

/**
 * Start time of a process, which distinguishes it from a later one with the same id. On Linux in ticks since
 * boot (proc(5), stat, field 22), elsewhere in seconds from `ps`. Undefined if it has ended.
 */
export async function startMark(pid: number): Promise<string | undefined> {
  if (!isAlive(pid)) return undefined;
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    // The program name is in parentheses and may contain any character.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? undefined : `ticks ${fields[19] ?? ''}`;
  } catch {
    // This system has no /proc, or the process has just ended: use ps.
    const done = await runCommand('ps', ['-o', 'lstart=', '-p', String(pid)], { env: { TZ: 'UTC' } });
    return done.code === 0 && done.stdout.trim() ? done.stdout.trim() : undefined;
  }
}

/** True while the same process exists. */
export const isSame = async (pid: number, mark: string | undefined): Promise<boolean> =>
  mark !== undefined && (await startMark(pid)) === mark;

/** SIGTERM, then SIGKILL after the grace period. Resolves when the process has ended. */
export async function endProcess(pid: number, graceMs: number): Promise<void> {
  const deadline = Date.now() + graceMs;
  signal(pid, 'SIGTERM');
  while (isAlive(pid)) {
    if (Date.now() > deadline) signal(pid, 'SIGKILL');
    if (Date.now() > deadline + 5_000) return; // the kernel is still tearing it down; nothing more to do
    await delay(20);
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has already ended.
  }
}

/** Resolves when a child has ended. */
export const ended = (child: ChildProcess): Promise<void> =>
  child.exitCode !== null || child.signalCode !== null
    ? Promise.resolve()
    : new Promise((resolve) => child.once('exit', () => resolve()));
