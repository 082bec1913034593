/**
 * How activities wait for an unreachable service: named policies over the one loop in `src/utils/retry.ts`.
 */
import type { ErrorCode } from '../../src/errors.ts';
import { exponential, retry, withCode } from '../../src/utils/retry.ts';

/** Longer than dockerd's own retries of about 50 s; a registry that restarts within minutes ends no job. */
const OUTAGE_MS = 240_000;
const OUTAGE_INITIAL_MS = 1_000;
const OUTAGE_MAX_MS = 15_000;
const STORE_INITIAL_MS = 200;
const STORE_MAX_MS = 5_000;

export interface OutageOptions {
  codes: readonly ErrorCode[];
  signal: AbortSignal;
  /** Counted from the first failure; 4 minutes if absent. */
  forMs?: number;
  /** The first pause, 1 s if absent. */
  initialMs?: number;
  onRetry?(error: Error, pauseMs: number): void;
}

/** Repeats `work` while the error is one of `codes`, for a few minutes; then rejects with the last error. */
export const retryThroughOutage = <T>(options: OutageOptions, work: () => Promise<T>): Promise<T> =>
  retry(work, {
    retryable: withCode(...options.codes),
    backoff: exponential(options.initialMs ?? OUTAGE_INITIAL_MS, OUTAGE_MAX_MS),
    forMs: options.forMs ?? OUTAGE_MS,
    countFrom: 'first-failure',
    signal: options.signal,
    onWait: options.onRetry,
  });

/** The same for requests to the stores: an outage of minutes ends no job whose turn has come. */
export const retryThroughStoreOutage = <T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> =>
  retryThroughOutage(
    { codes: ['store/unreachable', 'server/busy'], signal, initialMs: STORE_INITIAL_MS },
    work,
  );

/**
 * Repeats `work` while the store is unreachable or full, until the signal; then once more, and rejects with
 * the store's error. The bytes are still in the job's container, so waiting loses nothing.
 */
export const retryWhileStoreUnavailable = <T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> =>
  retry(work, {
    retryable: withCode('store/no-space', 'store/unreachable', 'server/busy'),
    backoff: exponential(STORE_INITIAL_MS, STORE_MAX_MS),
    signal,
    onAbort: 'last-attempt',
  });

/** No further attempt can help: a newer dispatch writes, the stored log is different or gone, or not for this machine. */
const isFinalForLogs = withCode(
  'log/fenced',
  'log/offset',
  'blob/missing',
  'secret/corrupt',
  'worker/scope',
  'internal/defect',
);

/**
 * Repeats a request to the stores for as long as the signal allows, even if other things fail: a log or a
 * spec is not given up.
 */
export async function retryUntilReachable<T>(signal: AbortSignal, ask: () => Promise<T>): Promise<T> {
  signal.throwIfAborted();
  return retry(ask, { final: isFinalForLogs, retryable: () => true, signal });
}
