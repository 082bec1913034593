/**
 * Keeps one worker of a process running beside the others.
 *
 * Invariants:
 *  KEEP-1 A worker that fails, or ends by itself, is restarted after a pause that doubles up to 30 s and is
 *         reset once the worker has lived for a minute. The pause is short while its engine is away: its jobs
 *         wait for that alone. The other workers and the server are not affected.
 *  KEEP-2 A failure without a code may leave something in the process that a restarted worker cannot use (a
 *         queue that the native runtime still holds, for example). After three of them in a row the whole
 *         process ends, and is restarted.
 *  KEEP-3 After the signal nothing is started.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { DavitError } from '../../errors.ts';
import { RestartPause, wasStable } from '../process/restart-pause.ts';

const MAX_DEFECTS = 3;
const AWAY_PAUSE_MS = 3_000;

export interface KeptWorker {
  name: string;
  /** Resolves after its graceful end. */
  run(options: { signal: AbortSignal; onReady(): void }): Promise<void>;
}
export interface KeepOptions {
  signal: AbortSignal;
  onReady(name: string): void;
  onFailure(name: string, error: unknown): void;
  /** First pause; for tests. */
  pauseMs?: number;
}

/** Resolves when the worker has ended because of the signal. Rejects by KEEP-2. */
export async function keepWorker(worker: KeptWorker, options: KeepOptions): Promise<void> {
  const { signal } = options;
  const pause = new RestartPause(options.pauseMs);
  let defects = 0;
  while (!signal.aborted) {
    const since = performance.now();
    const error = await failureOf(worker, options);
    if (signal.aborted) return;
    const ranMs = performance.now() - since;
    if (wasStable(ranMs)) defects = 0;
    options.onFailure(worker.name, error);
    defects = error instanceof DavitError ? 0 : defects + 1;
    if (defects >= MAX_DEFECTS) throw error;
    const ms = pause.after(ranMs);
    const away = error instanceof DavitError && error.code === 'engine/unreachable';
    await delay(away ? Math.min(ms, AWAY_PAUSE_MS) : ms, undefined, { signal }).catch(() => undefined); // aborted: seen by the loop
  }
}

async function failureOf(worker: KeptWorker, { signal, onReady }: KeepOptions): Promise<unknown> {
  try {
    await worker.run({ signal, onReady: () => onReady(worker.name) });
    return new Error('It ended by itself.');
  } catch (error) {
    return error;
  }
}
