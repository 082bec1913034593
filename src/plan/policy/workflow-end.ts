/** How the workflow of an ended pipeline ends in Temporal, so that Temporal's lists show the verdict. Pure. */
import type { Outcome } from '../model/outcome.ts';
import type { JobStatus, PipelineStatus } from '../model/protocol.ts';
import { storable } from '../model/text.ts';
import { cut } from './display-text.ts';

/** Types of the failure, as Temporal's UI shows them. `canceled`: nobody had asked Temporal to cancel it. */
export type FailureType = 'failed' | 'errored' | 'rejected' | 'expired' | 'config_error' | 'canceled';
export type WorkflowEnd =
  | { as: 'completed' }
  | { as: 'canceled'; message: string }
  | { as: 'failed'; type: FailureType; message: string };

/** Why everything that is open at the deadline of a pipeline ends. */
export const DEADLINE_REASON = 'The pipeline exceeded its deadline.';
/** Temporal's lists cut a longer text; the record has the whole reason. */
const MESSAGE_BYTES = 1_000;

/** `status` is that of a pipeline that is over. */
export function workflowEnd(status: Pick<PipelineStatus, 'state' | 'reason' | 'jobs'>): WorkflowEnd {
  const { state, reason } = status;
  if (state === 'success' || state === 'skipped') return { as: 'completed' };
  if (state === 'config_error') return failed('config_error', reason ?? 'The pipeline file has errors.');
  if (reason === DEADLINE_REASON) return failed('expired', reason);
  if (state === 'canceled') return { as: 'canceled', message: short(reason ?? 'Its jobs were cancelled.') };
  const [first, ...others] = status.jobs.filter(isCause).toSorted(byEnd);
  // It had no plan: it could not be compiled, or continued.
  if (!first) return failed(status.jobs.length === 0 ? 'errored' : 'failed', reason ?? 'It failed.');
  const more = others.length > 0 ? ` (and ${others.length} more)` : '';
  return failed(typeOf(first), `${jobEndText(first)}${more}`);
}

const failed = (type: FailureType, message: string): WorkflowEnd => ({
  as: 'failed',
  type,
  message: short(message),
});
const short = (text: string): string => cut(storable(text), MESSAGE_BYTES);

const BAD: readonly (Outcome | undefined)[] = ['failed', 'errored', 'expired'];
export const isCause = (job: Pick<JobStatus, 'outcome' | 'allowedToFail'>): boolean =>
  BAD.includes(job.outcome) && !job.allowedToFail;
/** What failed first is the cause; the rest often follows from it. */
const byEnd = (a: JobStatus, b: JobStatus): number => (a.result?.endedAt ?? 0) - (b.result?.endedAt ?? 0);

function typeOf({ outcome, result }: JobStatus): FailureType {
  if (result?.kind === 'rejected') return 'rejected';
  return outcome === 'expired' || outcome === 'errored' ? outcome : 'failed';
}

/** `unit failed: script, exit code 1` */
export function jobEndText(job: JobStatus): string {
  const { message, kind, exitCode } = job.result ?? {};
  const facts = [
    ...(kind === undefined ? [] : [kind.replaceAll('_', ' ')]),
    ...(exitCode === undefined ? [] : [`exit code ${exitCode}`]),
  ];
  const why = message ?? facts.join(', ');
  return `${job.key} ${typeOf(job)}${why === '' ? '' : `: ${why.replace(/\s+/g, ' ')}`}`;
}
