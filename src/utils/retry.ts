/** Asking again while an engine or a registry is away: one rule for all who do. */
import { setTimeout as delay } from 'node:timers/promises';
import { DavitError } from '../errors.ts';

const INITIAL_WAIT_MS = 100;
const MAX_WAIT_MS = 5_000;
/** A wait of minutes is told of now and again, not at every try. */
const TELL_MS = 30_000;

export interface RetryOptions {
  /** Gives up after so long; without it only the signal ends it. */
  forMs?: number;
  /** Told when the wait begins, and every 30 s that it goes on. */
  onWait?(error: DavitError): void;
}

/**
 * Does `attempt`, again and again with growing pauses, as long as it rejects with `engine/unreachable` or
 * `registry/unreachable`. Rejects with the signal's reason, with any other error at once, and with the last when time is over.
 */
export async function retry<T>(
  signal: AbortSignal | undefined,
  attempt: () => Promise<T>,
  patience: RetryOptions = {},
): Promise<T> {
  let toldAt = Number.NEGATIVE_INFINITY;
  const deadline = performance.now() + (patience.forMs ?? Number.POSITIVE_INFINITY);
  for (let pause = INITIAL_WAIT_MS; ; pause = Math.min(pause * 2, MAX_WAIT_MS)) {
    try {
      return await attempt();
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      if (!(error instanceof DavitError) || !error.code.endsWith('/unreachable')) throw error;
      if (performance.now() + pause > deadline) throw error;
      if (performance.now() - toldAt >= TELL_MS) {
        toldAt = performance.now();
        patience.onWait?.(error);
      }
    }
    await delay(pause, undefined, { signal }).catch(() => signal?.throwIfAborted());
  }
}
