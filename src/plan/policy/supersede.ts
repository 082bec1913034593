import type { Plan, PlanJob } from '../model/plan.ts';
import type { JobStatus } from '../model/protocol.ts';

/**
 * Whether a job's container may be running: `maybe` until a worker reports it or the job has waited for a few
 * seconds.
 */
export type HasStarted = 'yes' | 'no' | 'maybe';

export function startedOf(
  status: Pick<JobStatus, 'phase' | 'result' | 'waitingFor' | 'attempt'>,
): HasStarted {
  switch (status.phase) {
    case 'running':
    case 'stopping':
      return 'yes';
    case 'dispatched':
      return status.waitingFor === undefined ? 'maybe' : 'no';
    case 'ended':
      return status.result?.started ? 'yes' : 'no';
    default:
      return status.attempt > 0 && status.result?.started ? 'yes' : 'no';
  }
}

/**
 * What a newer pipeline of the same ref does to this one (GitLab, workflow:auto_cancel:on_new_commit).
 * conservative: cancel all, unless a job that is not interruptible has started; while that is unknown, `wait`
 * and ask again.
 */
export function supersedeEffect(
  mode: Plan['autoCancel']['onNewCommit'],
  jobs: readonly { job: Pick<PlanJob, 'interruptible'>; started: HasStarted }[],
): 'cancel' | 'cancel-interruptible' | 'none' | 'wait' {
  if (mode === 'none') return 'none';
  if (mode === 'interruptible') return 'cancel-interruptible';
  const firm = jobs.filter(({ job }) => !job.interruptible);
  if (firm.some(({ started }) => started === 'yes')) return 'none';
  return firm.some(({ started }) => started === 'maybe') ? 'wait' : 'cancel';
}
