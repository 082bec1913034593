/** One process of davit: started with its log, known to be ready, ended gracefully. */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdir, open, rename, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { childEnvironment } from '../../config.ts';
import { endProcess, startMark } from './exec.ts';

const LOG_BYTES = 16 * 1024 * 1024;
/** What a process of ours says to its supervisor once it serves. */
export const READY_MESSAGE = 'davit:ready';

export interface RunningProcess {
  pid?: number;
  /** When it was started. */
  mark?: string;
  /** Resolves with how it ended, in words; never rejects. */
  exited: Promise<string>;
  /** Resolves when it has said so itself; for processes of ours. */
  saidReady: Promise<void>;
  /** To a process of ours; one that is gone does not get it. */
  send?(message: object): void;
  stop(): Promise<void>;
}
export interface Part {
  /** Also the name of its log. */
  name: string;
  log: string;
  /** Parts end in the order of falling ranks: first what stands on the others. */
  rank: number;
  start(): Promise<RunningProcess>;
  /** Resolves when it serves; `signal` ends the wait. Its answer is shown. */
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
  /** A process of davit's own: it says when it is ready, and ends when its supervisor is gone. */
  own?: boolean;
  /** What a process of ours says beside that. */
  onMessage?(message: unknown): void;
}

/** What stands on nothing; the server; what talks to the server. */
export const RANKS = { base: 0, server: 1, worker: 2 } as const;

export const logPath = (home: string, name: string): string => join(home, 'log', `${name}.log`);

/** Starts it in a session of its own, so that Ctrl-C on a terminal reaches the supervisor alone. */
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
  const saidReady = new Promise<void>((resolve) =>
    child.on('message', (message) => {
      if (message === READY_MESSAGE) resolve();
      else onMessage?.(message);
    }),
  );
  return {
    pid: child.pid,
    exited,
    saidReady,
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
    if ((await stat(path)).size > LOG_BYTES) await rename(path, `${path}.1`);
  } catch {
    // There is no log yet.
  }
}

/** Rejects when it ends before it is ready. */
export async function readyOrEnded<T>(running: RunningProcess, ready: Promise<T>): Promise<T> {
  const over = running.exited.then((how) => {
    throw new Error(how);
  });
  return Promise.race([ready, over]);
}

/** Asks until the answer is true. Rejects with the signal's reason. */
export async function until(ask: () => Promise<boolean>, signal: AbortSignal): Promise<void> {
  for (;;) {
    signal.throwIfAborted();
    if (await ask()) return;
    await delay(25);
  }
}
