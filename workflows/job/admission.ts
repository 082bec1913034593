/**
 * The one place before any dispatch: a job that its plan refuses, or whose pipeline nobody has admitted, ends
 * here. Decided by the plan alone, so histories of plans without these fields replay as they were.
 */
import type { JobResult } from '../../src/plan/model/outcome.ts';
import type { JobRun, Run } from './state.ts';

export function refusedResult(run: Pick<Run, 'jobs'>, job: JobRun): JobResult | undefined {
  const { refused } = job.spec;
  if (refused !== undefined)
    return { outcome: 'failed', kind: 'config', started: false, endedAt: Date.now(), message: refused };
  if (job.spec.admission) return undefined;
  const admission = run.jobs.find((other) => other.spec.admission);
  if (!admission || admission.status.outcome === 'succeeded') return undefined;
  const message = `${admission.spec.key} was not approved.`;
  return { outcome: 'skipped', started: false, endedAt: Date.now(), message };
}

/** The admission itself is nothing but its gate. */
export const admittedResult = (job: JobRun): JobResult | undefined =>
  job.spec.admission ? { outcome: 'succeeded', started: false, endedAt: Date.now() } : undefined;
