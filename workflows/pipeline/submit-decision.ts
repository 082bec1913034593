/** The Updates and the signal by which people decide: judged by `src/plan/policy/approval-policy.ts`, recorded, then put into effect. */
import { ApplicationFailure } from '@temporalio/common';
import { judge, type Verdict } from '../../src/plan/policy/approval-policy.ts';
import type { JobKey } from '../../src/plan/model/ids.ts';
import type { Decision, DecisionAnswer, UpdateName } from '../../src/plan/model/protocol.ts';
import type { Scheduler } from './scheduler.ts';
import type { JobRun, Run } from '../job/state.ts';

/** Decisions kept a job; a person who insists does not make the workflow grow. */
const MAX_DECISIONS = 50;

export interface DecisionTarget {
  run: Run;
  scheduler: Scheduler;
}

/** The Updates' validator: refuses what leaves no trace. Its failure's type is the code. */
export function validate(deciding: DecisionTarget | undefined, action: UpdateName, decision: Decision): void {
  if (
    typeof decision?.job !== 'string' ||
    typeof decision.actor !== 'string' ||
    typeof decision.role !== 'string'
  )
    throw ApplicationFailure.nonRetryable('A decision names job, actor and role.', 'usage/invalid');
  const { verdict } = consider(deciding, { ...decision, action });
  if (!verdict.accepted && !verdict.record)
    // It may quote what was sent; half of a character in a failure ends the worker that answers with it.
    throw ApplicationFailure.nonRetryable(verdict.message.toWellFormed(), verdict.code);
}

/** Judges, records and puts into effect, in one synchronous step: of two at once, one is first. */
export function decide(deciding: DecisionTarget | undefined, decision: Decision): DecisionAnswer {
  const { verdict, one: job } = consider(deciding, decision);
  if (job) {
    const answer = verdict.accepted ? 'accepted' : verdict.code;
    const made = { ...decision, ...bindingOf(deciding?.run, job, decision), at: Date.now(), answer };
    job.status.decisions = bounded([...job.status.decisions, made]);
    deciding?.run.changed();
  }
  if (!verdict.accepted) return { accepted: false, code: verdict.code, message: verdict.message };
  if (deciding && job) apply(deciding, job, { effect: verdict.effect, by: decision });
  return { accepted: true, message: verdict.message };
}

/** An approval of a protected environment is of this commit, this plan and this environment, and the record says so. */
function bindingOf(run: Run | undefined, job: JobRun, { action }: Decision): Pick<Decision, 'binds'> {
  if (!run || action !== 'play' || !job.spec.gate?.protection) return {};
  const environment = job.spec.environment?.name;
  return {
    binds: {
      sha: run.input.trigger.sha,
      plan: run.planBlob,
      ...(environment !== undefined && { environment }),
    },
  };
}

/** The oldest refusal goes first: what was decided stays. */
function bounded(decisions: readonly Decision[]): Decision[] {
  if (decisions.length <= MAX_DECISIONS) return [...decisions];
  const refused = decisions.findIndex((one) => one.answer !== 'accepted');
  return decisions.filter((_one, at) => at !== Math.max(0, refused));
}

function consider(
  deciding: DecisionTarget | undefined,
  decision: Decision,
): { verdict: Verdict; one?: JobRun } {
  const job = deciding?.run.jobs.find((other) => other.spec.key === decision.job);
  if (!deciding || !job) return { verdict: notFound(decision.job) };
  const verdict = judge(
    {
      job: job.spec,
      status: isDecided(job) ? { ...job.status, phase: 'dispatched' } : job.status,
      missing: missingFor(deciding.run, job),
      approveBySignal: deciding.run.limits.approveBySignal ?? true,
    },
    decision,
  );
  const starts = verdict.accepted && ['retry', 'play', 'stop'].includes(verdict.effect);
  return { one: job, verdict: starts && deciding.scheduler.stopping ? stopping(job.spec.key) : verdict };
}

function apply(
  { scheduler }: DecisionTarget,
  job: JobRun,
  to: { effect: Extract<Verdict, { accepted: true }>['effect']; by: Decision },
): void {
  if (to.effect === 'count') return;
  const starts = to.effect !== 'cancel' && to.effect !== 'reject';
  if (starts) job.playedBy = to.by.actor;
  switch (to.effect) {
    case 'approve':
      return settle(job, 'approved');
    case 'reject':
      return settle(job, 'rejected');
    case 'undelay':
      return job.wake?.resolve();
    case 'play':
      return scheduler.startManual(job);
    case 'retry':
      return scheduler.retry(job);
    case 'stop':
      return scheduler.rerun(job);
    case 'cancel':
      return scheduler.cancelJob(job);
  }
}

/** Closed at once: another decision of this very moment finds it decided, though the job has not gone on yet. */
function settle(job: JobRun, decision: 'approved' | 'rejected'): void {
  job.gate?.resolve(decision);
  job.gate = undefined;
}
/** Decided, expired or cancelled, and its job's next step is still to come. */
const isDecided = (job: JobRun): boolean => job.status.phase === 'gate' && job.gate === undefined;

const missingFor = (run: Run, job: JobRun): string[] =>
  (run.graph.requires[job.index] ?? []).flatMap((at) => {
    const other = run.jobs[at];
    return other && other.status.outcome !== 'succeeded' ? [other.spec.key] : [];
  });
const notFound = (job: JobKey): Verdict => ({
  accepted: false,
  code: 'job/not-found',
  message: `The pipeline has no job ${job}.`,
  record: false,
});
const stopping = (job: JobKey): Verdict => ({
  accepted: false,
  code: 'job/not-playable',
  message: `The pipeline is being cancelled; ask for ${job} again when it has ended.`,
  record: false,
});
