/** Retry with backoff: the one loop of davit that repeats a call whose failure another attempt may cure. */
import { setTimeout as delay } from 'node:timers/promises';
import { DavitError, type ErrorCode, isTransient } from '../errors.ts';

const INITIAL_WAIT_MS = 100;
const MAX_WAIT_MS = 5_000;

/** ms before attempt number `failures + 1`; `failures` starts at 1. */
export type Backoff = (failures: number) => number;

export const exponential =
  (initialMs: number, maxMs: number): Backoff =>
  (failures) =>
    Math.min(initialMs * 2 ** (failures - 1), maxMs);
export const constant =
  (ms: number): Backoff =>
  () =>
    ms;
export const linear =
  (stepMs: number): Backoff =>
  (failures) =>
    stepMs * failures;

/** For `retryable` and `final`: coded errors of these codes. */
export const withCode =
  (...codes: readonly ErrorCode[]) =>
  (error: unknown): boolean =>
    error instanceof DavitError && codes.includes(error.code);

export interface RetryPolicy {
  /** Which errors are worth another attempt. Those that `src/errors.ts` calls transient, if absent. */
  retryable?(error: unknown): boolean;
  /** Errors that are an answer: rejected with at once, even if the signal is aborted by then. */
  final?(error: unknown): boolean;
  /** Doubling from 100 ms to 5 s, if absent. */
  backoff?: Backoff;
  /** A lower bound for the next pause, if the error itself names one (Retry-After). */
  minWaitMs?(): number;
  /** No attempt begins later than this after the first one. Unlimited if absent. */
  forMs?: number;
  /** Where `forMs` counts from. A long attempt before the first failure is not part of an outage. */
  countFrom?: 'start' | 'first-failure';
  maxAttempts?: number;
  /** Ends the waiting. The attempt itself has to observe it too, if it is to be interrupted. */
  signal?: AbortSignal;
  /**
   * After the signal: reject with its reason (default), or make one last attempt and reject with its error.
   */
  onAbort?: 'reject' | 'last-attempt';
  /** Called before a wait; at most once in `onWaitEveryMs`, if that is given. */
  onWait?(error: Error, waitMs: number): void;
  onWaitEveryMs?: number;
}

/**
 * Returns what `attempt` resolves to. Rejects with the signal's reason once it is aborted, at once with an
 * error that is not retryable, and with the last error when attempts or time are used up. `attempt` must be
 * safe to repeat.
 */
export async function retry<T>(attempt: () => Promise<T>, policy: RetryPolicy = {}): Promise<T> {
  const { signal, retryable = isTransient, backoff = exponential(INITIAL_WAIT_MS, MAX_WAIT_MS) } = policy;
  const onAbort = policy.onAbort ?? 'reject';
  let countedFrom = policy.countFrom === 'first-failure' ? undefined : performance.now();
  let toldAt = Number.NEGATIVE_INFINITY;
  for (let failures = 1; ; failures += 1) {
    try {
      return await attempt();
    } catch (error) {
      if (policy.final?.(error)) throw error;
      if (signal?.aborted) throw onAbort === 'reject' ? signal.reason : error;
      if (!retryable(error) || failures === policy.maxAttempts) throw error;
      const wait = Math.max(backoff(failures), policy.minWaitMs?.() ?? 0);
      const now = performance.now();
      countedFrom ??= now;
      if (now + wait - countedFrom > (policy.forMs ?? Number.POSITIVE_INFINITY)) throw error;
      if (now - toldAt >= (policy.onWaitEveryMs ?? 0)) {
        toldAt = now;
        policy.onWait?.(error instanceof Error ? error : new Error(String(error)), wait);
      }
      await pause(wait, signal);
    }
    if (onAbort === 'reject') signal?.throwIfAborted();
  }
}

/** Ends early when the signal is aborted; the loop sees that itself. */
async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  await delay(ms, undefined, { signal }).catch((error: unknown) => {
    if (!signal?.aborted) throw error;
  });
}
