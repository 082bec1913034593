import type { Outcome } from '../model/outcome.ts';
import type { PlanJob } from '../model/plan.ts';
import type { JobPhase, PipelineState } from '../model/protocol.ts';

/**
 * How GitLab folds the states of jobs into one (Gitlab::Ci::Status::Composite): for a whole pipeline, for the
 * stages before a job, and for its needs.
 */
export const TOKENS = [
  'created',
  'running',
  'waiting_for_resource',
  'scheduled',
  'manual', // blocks: allow_failure false, or a gate
  'ignored', // an optional manual job that was not played
  'success',
  'warning', // failed or cancelled, and allowed to
  'failed',
  'canceled',
  'skipped',
] as const;
export type Token = (typeof TOKENS)[number];
export type Tally = Record<Token, number>;

/** What the rules need to know about a job. */
export interface JobView {
  phase: JobPhase;
  outcome?: Outcome;
  exitCode?: number;
  /** A person asked for it again: neither `manual` nor a delay hold it a second time. */
  retryRequested?: boolean;
  /** It mirrors a pipeline that waits for a person. */
  blocked?: boolean;
}

/** A blocking manual job has no `allow_failure: true`; a gate always blocks. */
export const isOptional = (job: Pick<PlanJob, 'allowFailure' | 'gate'>): boolean =>
  job.allowFailure === true && !job.gate;

/** True if the failure only warns: `allow_failure: true`, or one of its exit codes. */
export function isAllowed(job: Pick<PlanJob, 'allowFailure' | 'gate'>, view: JobView): boolean {
  if (view.outcome === undefined || view.outcome === 'succeeded' || view.outcome === 'skipped') return false;
  if (job.gate) return false;
  if (Array.isArray(job.allowFailure))
    return (
      view.outcome === 'failed' && view.exitCode !== undefined && job.allowFailure.includes(view.exitCode)
    );
  return job.allowFailure;
}

export function tokenOf(job: PlanJob, view: JobView): Token {
  switch (view.phase) {
    case 'created':
      return 'created';
    case 'manual':
      return isOptional(job) ? 'ignored' : 'manual';
    case 'gate':
      return 'manual';
    case 'scheduled':
      return 'scheduled';
    case 'waiting_for_resource':
      return 'waiting_for_resource';
    case 'running':
      return view.blocked ? 'manual' : 'running';
    case 'dispatched':
    case 'stopping':
      return 'running';
    case 'ended':
      if (view.outcome === 'succeeded') return 'success';
      if (view.outcome === 'skipped' || view.outcome === undefined) return 'skipped';
      if (isAllowed(job, view)) return 'warning';
      return view.outcome === 'cancelled' ? 'canceled' : 'failed';
  }
}

export const emptyTally = (): Tally => ({
  created: 0,
  running: 0,
  waiting_for_resource: 0,
  scheduled: 0,
  manual: 0,
  ignored: 0,
  success: 0,
  warning: 0,
  failed: 0,
  canceled: 0,
  skipped: 0,
});

export function tally(tokens: Iterable<Token>): Tally {
  const counts = emptyTally();
  for (const token of tokens) counts[token] += 1;
  return counts;
}

/** The order of the checks is GitLab's, and it matters. Without jobs the state is success. */
export function composite(counts: Tally): PipelineState {
  const only = (...tokens: Token[]): boolean =>
    TOKENS.every((token) => counts[token] === 0 || tokens.includes(token));
  if (only()) return 'success';
  if (only('skipped', 'ignored')) return 'skipped';
  if (only('success', 'skipped', 'warning', 'ignored')) return 'success';
  if (only('created', 'warning', 'ignored')) return 'created';
  if (only('canceled', 'success', 'skipped', 'warning', 'ignored')) return 'canceled';
  if (counts.running > 0) return 'running';
  if (counts.waiting_for_resource > 0) return 'waiting_for_resource';
  if (counts.manual > 0) return 'manual';
  if (counts.scheduled > 0) return 'scheduled';
  if (counts.created > 0) return 'running';
  return 'failed';
}

/** True if nothing can continue without a new request of a person: the pipeline has its verdict. */
export const isSettled = (counts: Tally): boolean =>
  counts.created + counts.running + counts.waiting_for_resource + counts.scheduled + counts.manual === 0;
