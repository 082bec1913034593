import { setTimeout as delay } from 'node:timers/promises';
import { DavitError, type ErrorCode } from '../../src/errors.ts';

/** Longer than dockerd's own retries of about 50 s; a registry that restarts for a minute or three ends no job. */
const OUTAGE_MS = 240_000;
/** What a store that is away, or starts, answers. */
const STORE_AWAY: readonly ErrorCode[] = ['store/unreachable', 'server/busy'];
const INITIAL_PAUSE_MS = 1_000;
const MAX_PAUSE_MS = 15_000;

/**
 * Tries again while the error is one of `codes` and `forMs` have not passed since the first such error; then rejects with
 * the last. `work` must be safe to repeat.
 */
export async function retryThroughOutage<T>(
  options: {
    codes: readonly ErrorCode[];
    signal: AbortSignal;
    forMs?: number;
    /** The first pause, 1 s if absent. */
    firstMs?: number;
    onRetry?(error: DavitError, pauseMs: number): void;
  },
  work: () => Promise<T>,
): Promise<T> {
  let since: number | undefined;
  for (let wait = options.firstMs ?? INITIAL_PAUSE_MS; ; wait = Math.min(wait * 2, MAX_PAUSE_MS)) {
    try {
      return await work();
    } catch (error) {
      options.signal.throwIfAborted();
      since ??= performance.now();
      const over = performance.now() - since + wait > (options.forMs ?? OUTAGE_MS);
      if (!(error instanceof DavitError) || !options.codes.includes(error.code) || over) throw error;
      options.onRetry?.(error, wait);
    }
    await delay(wait, undefined, { signal: options.signal }).catch((error: unknown) => {
      // The reason of the signal says more than "aborted".
      options.signal.throwIfAborted();
      throw error;
    });
  }
}

const STORE_PAUSE_MS = 200;
/** The same of what is asked of the stores: a server that is away for minutes ends no job that has its turn. */
export const retryThroughStoreOutage = <T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> =>
  retryThroughOutage({ codes: STORE_AWAY, signal, firstMs: STORE_PAUSE_MS }, work);
