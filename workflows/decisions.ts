/** The Updates and the signal by which people decide: judged by `src/plan/decide.ts`, recorded, then put into effect. */
import { ApplicationFailure } from '@temporalio/common';
import { judge, type Verdict } from '../src/plan/decide.ts';
import type { JobKey } from '../src/plan/ids.ts';
import type { Decision, DecisionAnswer, UpdateName } from '../src/plan/protocol.ts';
import type { Scheduler } from './scheduler.ts';
import type { JobRun, Run } from './state.ts';

/** Decisions kept a job; a person who insists does not make the workflow grow. */
const MAX_DECISIONS = 50;

export interface Deciding {
  run: Run;
  scheduler: Scheduler;
}

/** The Updates' validator: refuses what leaves no trace. Its failure's type is the code. */
export function validate(deciding: Deciding | undefined, action: UpdateName, decision: Decision): void {
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
export function decide(deciding: Deciding | undefined, decision: Decision): DecisionAnswer {
  const { verdict, one } = consider(deciding, decision);
  if (one) {
    const answer = verdict.accepted ? 'accepted' : verdict.code;
    one.status.decisions = bounded([...one.status.decisions, { ...decision, at: Date.now(), answer }]);
    deciding?.run.changed();
  }
  if (!verdict.accepted) return { accepted: false, code: verdict.code, message: verdict.message };
  if (deciding && one) apply(deciding, one, { effect: verdict.effect, by: decision });
  return { accepted: true, message: verdict.message };
}

/** The oldest refusal goes first: what was decided stays. */
function bounded(decisions: readonly Decision[]): Decision[] {
  if (decisions.length <= MAX_DECISIONS) return [...decisions];
  const refused = decisions.findIndex((one) => one.answer !== 'accepted');
  return decisions.filter((_one, at) => at !== Math.max(0, refused));
}

function consider(deciding: Deciding | undefined, decision: Decision): { verdict: Verdict; one?: JobRun } {
  const one = deciding?.run.jobs.find((other) => other.job.key === decision.job);
  if (!deciding || !one) return { verdict: notFound(decision.job) };
  const verdict = judge(
    {
      job: one.job,
      status: isDecided(one) ? { ...one.status, phase: 'dispatched' } : one.status,
      missing: missingFor(deciding.run, one),
      approveBySignal: deciding.run.limits.approveBySignal ?? true,
    },
    decision,
  );
  const starts = verdict.accepted && ['retry', 'play', 'stop'].includes(verdict.effect);
  return { one, verdict: starts && deciding.scheduler.stopping ? stopping(one.job.key) : verdict };
}

function apply(
  { scheduler }: Deciding,
  one: JobRun,
  to: { effect: Extract<Verdict, { accepted: true }>['effect']; by: Decision },
): void {
  const starts = to.effect !== 'cancel' && to.effect !== 'reject';
  if (starts) one.playedBy = to.by.actor;
  switch (to.effect) {
    case 'approve':
      return settle(one, 'approved');
    case 'reject':
      return settle(one, 'rejected');
    case 'undelay':
      return one.wake?.resolve();
    case 'play':
      return scheduler.play(one);
    case 'retry':
      return scheduler.again(one);
    case 'stop':
      return scheduler.anew(one);
    case 'cancel':
      return scheduler.cancelJob(one);
  }
}

/** Closed at once: another decision of this very moment finds it decided, though the job has not gone on yet. */
function settle(one: JobRun, decision: 'approved' | 'rejected'): void {
  one.gate?.resolve(decision);
  one.gate = undefined;
}
/** Decided, expired or cancelled, and its job's next step is still to come. */
const isDecided = (one: JobRun): boolean => one.status.phase === 'gate' && one.gate === undefined;

const missingFor = (run: Run, one: JobRun): string[] =>
  (run.graph.requires[one.index] ?? []).flatMap((at) => {
    const other = run.jobs[at];
    return other && other.status.outcome !== 'succeeded' ? [other.job.key] : [];
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
