import { withCode } from '../../../src/utils/retry.ts';
import { retryWhileStoreUnavailable } from '../../runtime/retry-policies.ts';
import type { Job } from './job.ts';

const isUnavailable = withCode('store/no-space', 'store/unreachable', 'server/busy');

/**
 * Stores the outputs of an ended job until `storeLimit`. Never settles if the activity has lost the job to
 * another dispatch by then: that one stores them, and nothing continues here.
 */
export async function retryUntilStored<T>(
  { lease, storeLimit }: Pick<Job, 'lease' | 'storeLimit'>,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await retryWhileStoreUnavailable(storeLimit.signal, work);
  } catch (error) {
    if (lease.left && isUnavailable(error)) return new Promise(() => undefined);
    throw error;
  }
}
