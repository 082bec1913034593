/** One process of davit: started with its log, watched until ready, stopped gracefully. */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdir, open, rename, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { childEnvironment } from '../../config.ts';
import { endProcess, startMark } from './exec.ts';

const MAX_LOG_BYTES = 16 * 1024 * 1024;
/** Message of a davit process to its supervisor once it is ready. */
export const READY_MESSAGE = 'davit:ready';

export interface RunningProcess {
  pid?: number;
  /** Start mark, see `startMark`. */
  mark?: string;
  /** Resolves with a description of how it ended; never rejects. */
  exited: Promise<string>;
  /** Resolves when the process has reported that it is ready; only for davit's own processes. */
  readyReported: Promise<void>;
  /** Sends to a davit process; dropped when it has ended. */
  send?(message: object): void;
  stop(): Promise<void>;
}
export interface ManagedProcess {
  /** Also the name of its log. */
  name: string;
  log: string;
  /** Processes stop in the order of descending ranks: dependents first. */
  rank: number;
  start(): Promise<RunningProcess>;
  /** Resolves when it is ready; `signal` aborts the wait. The result is shown as detail. */
  ready(running: RunningProcess, signal: AbortSignal): Promise<string | undefined>;
}

export interface ProcessSpec {
  name: string;
  program: string;
  args: string[];
  env?: Record<string, string | undefined>;
  log: string;
  /** SIGTERM to SIGKILL. */
  graceMs: number;
  /** A davit process: it reports when it is ready, and ends with its supervisor. */
  own?: boolean;
  /** Called with every other message of a davit process. */
  onMessage?(message: unknown): void;
}

/** Processes without dependencies; the server; clients of the server. */
export const RANKS = { base: 0, server: 1, worker: 2 } as const;

export const logPath = (home: string, name: string): string => join(home, 'log', `${name}.log`);

/** Starts it in its own session, so that Ctrl-C in a terminal reaches only the supervisor. */
export async function startProcess(spec: ProcessSpec): Promise<RunningProcess> {
  await mkdir(dirname(spec.log), { recursive: true, mode: 0o700 });
  await rotate(spec.log);
  const file = await open(spec.log, 'a', 0o600);
  try {
    const child = spawn(spec.program, spec.args, {
      detached: true,
      env: childEnvironment(spec.env ?? {}),
      stdio: spec.own ? ['ignore', file.fd, file.fd, 'ipc'] : ['ignore', file.fd, file.fd],
    });
    const running = runningOf(child, spec);
    return { ...running, mark: child.pid === undefined ? undefined : await startMark(child.pid) };
  } finally {
    await file.close();
  }
}

function runningOf(child: ChildProcess, { graceMs, onMessage }: ProcessSpec): RunningProcess {
  const exited = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(`could not be started: ${error.message}`));
    child.once('exit', (code, signal) =>
      resolve(signal ? `ended by ${signal}` : `ended with code ${code ?? 0}`),
    );
  });
  const readyReported = new Promise<void>((resolve) =>
    child.on('message', (message) => {
      if (message === READY_MESSAGE) resolve();
      else onMessage?.(message);
    }),
  );
  return {
    pid: child.pid,
    exited,
    readyReported,
    send: (message) => {
      if (child.connected) child.send(message, () => undefined); // it ends at this moment
    },
    stop: async () => {
      if (child.pid === undefined) return;
      await endProcess(child.pid, graceMs);
    },
  };
}

async function rotate(path: string): Promise<void> {
  try {
    if ((await stat(path)).size > MAX_LOG_BYTES) await rename(path, `${path}.1`);
  } catch {
    // The log does not exist yet.
  }
}

/** Rejects if it ends before it is ready. */
export async function readyOrEnded<T>(running: RunningProcess, ready: Promise<T>): Promise<T> {
  const over = running.exited.then((how) => {
    throw new Error(how);
  });
  return Promise.race([ready, over]);
}

/** Polls until `check` resolves to true. Rejects with the signal's reason. */
export async function until(check: () => Promise<boolean>, signal: AbortSignal): Promise<void> {
  for (;;) {
    signal.throwIfAborted();
    if (await check()) return;
    await delay(25);
  }
}
