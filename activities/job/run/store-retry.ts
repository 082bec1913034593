/**
 * Waiting for a store that is away or full. What is to be stored still stands in the job's container, so nothing is lost by
 * waiting; a job that has done its work does not fail because a disk elsewhere was full for a while.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { DavitError, type ErrorCode } from '../../../src/errors.ts';
import type { Job } from '../job.ts';

const INITIAL_WAIT_MS = 200;
const MAX_WAIT_MS = 5_000;
const PASSES: readonly ErrorCode[] = ['store/no-space', 'store/unreachable', 'server/busy'];
const passes = (error: unknown): boolean => error instanceof DavitError && PASSES.includes(error.code);

/** Does `work` again for as long as the store is away or full and the signal allows; then rejects with the store's error. */
export async function retryWhileStoreUnavailable<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  for (let wait = INITIAL_WAIT_MS; ; wait = Math.min(wait * 2, MAX_WAIT_MS)) {
    try {
      return await work();
    } catch (error) {
      if (!passes(error) || signal.aborted) throw error;
      await delay(wait, undefined, { signal }).catch(() => undefined); // the signal: one try more, then the error
    }
  }
}

/**
 * What an ended job leaves, until its time for that is over (`storeLimit`). Does not end when the activity has left the job
 * to another: whoever resumes does it, and nothing half known goes on here.
 */
export async function retryUntilStored<T>(
  { lease, storeLimit }: Pick<Job, 'lease' | 'storeLimit'>,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await retryWhileStoreUnavailable(storeLimit.signal, work);
  } catch (error) {
    if (lease.left && passes(error)) return new Promise(() => undefined);
    throw error;
  }
}
