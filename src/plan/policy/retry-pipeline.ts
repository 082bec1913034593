/** Which jobs a retry of a whole pipeline runs again. Pure. */
import type { JobKey } from '../model/ids.ts';
import type { Outcome } from '../model/outcome.ts';
import type { JobStatus } from '../model/protocol.ts';

const AGAIN: readonly Outcome[] = ['failed', 'errored', 'cancelled', 'expired'];

/**
 * GitLab (`Ci::RetryPipelineService`): what has failed, also if that was allowed, and what was cancelled. Skipped jobs follow
 * those that they wait for, and manual jobs that nobody started stay as they are.
 */
export const jobsToRetry = (jobs: readonly Pick<JobStatus, 'key' | 'phase' | 'outcome'>[]): JobKey[] =>
  jobs
    .filter(({ phase, outcome }) => phase === 'ended' && outcome !== undefined && AGAIN.includes(outcome))
    .map(({ key }) => key);
