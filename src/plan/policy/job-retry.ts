import type { FailureKind, JobResult } from '../model/outcome.ts';
import type { PlanJob } from '../model/plan.ts';

/** GitLab's `retry:when` reasons that each failure kind matches (table in docs/language/failures.md). */
export const RETRY_REASONS: Record<FailureKind, readonly string[]> = {
  script: ['script_failure'],
  timeout: ['job_execution_timeout'],
  out_of_memory: ['script_failure'],
  image_pull: ['runner_system_failure', 'runner_configuration_error', 'runner_external_dependency_failure'],
  registry: ['runner_system_failure', 'runner_external_dependency_failure'],
  artifact: ['runner_system_failure', 'data_integrity_failure'],
  readiness: ['runner_system_failure'],
  no_space: ['runner_system_failure'],
  engine: ['runner_system_failure'],
  host_lost: [
    'runner_system_failure',
    'stuck_or_timeout_failure',
    'runner_interrupted',
    'no_updates_running',
  ],
  no_worker: [
    'stuck_or_timeout_failure',
    'stuck_pending_with_matching_runners',
    'stuck_pending_no_matching_runners',
    'no_matching_runner',
  ],
  missing_dependency: ['unmet_prerequisites', 'missing_dependency_failure'],
  rollout: ['script_failure'],
  outdated: [],
  approval: [],
  rejected: [],
  expired: [],
  downstream: [],
  config: ['runner_unsupported', 'runner_configuration_error'],
  internal: ['unknown_failure', 'scheduler_failure'],
};
/** GitLab's limit. */
export const MAX_RETRIES = 2;
/** Decided by a person or a deadline: run again only on request. */
const FINAL: readonly FailureKind[] = ['outdated', 'approval', 'rejected', 'expired'];

/**
 * Whether an ended attempt is retried without a person. `auto`: it never started its container, or its host
 * is gone and the job is idempotent. `retry`: the file's `retry:` allows it. A deployment that may have begun
 * is never repeated.
 */
export function retryOf(
  job: Pick<PlanJob, 'kind' | 'retry' | 'rerunnable' | 'environment'>,
  result: JobResult,
  used: { auto: number; retry: number; autoMax: number },
): 'auto' | 'retry' | 'no' {
  const { outcome, kind } = result;
  if ((outcome !== 'failed' && outcome !== 'errored') || (kind && FINAL.includes(kind))) return 'no';
  if (result.refused) return 'no';
  // Each attempt would start another pipeline.
  if (job.kind === 'trigger') return 'no';
  const begun = result.started;
  if (job.kind === 'deploy' && begun) return 'no';
  if (outcome === 'errored' && used.auto < used.autoMax) {
    if (!begun && kind !== 'no_worker' && kind !== 'config') return 'auto';
    if (kind === 'host_lost' && job.rerunnable && !job.environment) return 'auto';
  }
  if (kind === 'host_lost' && begun && job.environment) return 'no';
  return used.retry < Math.min(job.retry.max, MAX_RETRIES) && isListed(job, result) ? 'retry' : 'no';
}

/** `when` or `exit_codes` matches; without both, every failure does. */
function isListed(job: Pick<PlanJob, 'retry'>, result: JobResult): boolean {
  const { when, exitCodes } = job.retry;
  if (when.length === 0 && exitCodes.length === 0) return true;
  if (result.exitCode !== undefined && exitCodes.includes(result.exitCode)) return true;
  const reasons = RETRY_REASONS[result.kind ?? 'internal'];
  return when.includes('always') || when.some((reason) => reasons.includes(reason));
}
