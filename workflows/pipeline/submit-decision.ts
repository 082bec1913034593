/**
 * Decisions of people, by Update or signal: judged by `src/plan/policy/approval-policy.ts`, recorded, and put
 * into effect.
 */
import { ApplicationFailure } from '@temporalio/common';
import { judge, type Verdict } from '../../src/plan/policy/approval-policy.ts';
import type { JobKey, PipelineId } from '../../src/plan/model/ids.ts';
import type {
  Decision,
  DecisionAnswer,
  DecisionCode,
  JobStatus,
  UpdateName,
} from '../../src/plan/model/protocol.ts';
import { unproven, verifies } from '../proof.ts';
import type { Scheduler } from './scheduler.ts';
import { decideGate, isGateClosed } from '../job/gate.ts';
import { imageDigests } from '../job/inputs.ts';
import type { JobRun, Run } from '../job/state.ts';

/** Decisions kept per job: repeated requests of one person must not make the workflow grow. */
const MAX_DECISIONS = 50;
/** Refused ones among them that came without a proof. */
const MAX_REFUSED = 20;

export interface DecisionTarget {
  run: Run;
  scheduler: Scheduler;
}

/** Validator of the Updates: refuses decisions that are not recorded. The failure's type is the code. */
export function validate(target: DecisionTarget | undefined, action: UpdateName, decision: Decision): void {
  if (
    typeof decision?.job !== 'string' ||
    typeof decision.actor !== 'string' ||
    typeof decision.role !== 'string'
  )
    throw ApplicationFailure.nonRetryable('A decision needs job, actor and role.', 'usage/invalid');
  const { verdict } = consider(target, { ...decision, action });
  if (!verdict.accepted && !verdict.record)
    // The message may quote what was sent; an unpaired surrogate in a failure ends the worker that returns
    // it.
    throw ApplicationFailure.nonRetryable(verdict.message.toWellFormed(), verdict.code);
}

/** A decision that counts only if the server has made it, about the present state of the job. */
export function decideProven(
  of: { id: PipelineId; target(): DecisionTarget | undefined },
  decision: Decision,
): DecisionAnswer | Promise<DecisionAnswer> {
  if (!verifies()) return decide(of.target(), decision);
  return unproven({ kind: 'decision', pipeline: of.id, decision }).then((reason) => {
    const target = of.target();
    const job = jobOf(target, decision);
    if (reason !== undefined) return refuse(target, decision, { code: 'decision/unproven', message: reason });
    const late = job && outdated(job.status, decision);
    // Where the present state refuses it, that is the better reason: the second of two people hears who was first.
    if (late === undefined || !consider(target, decision).verdict.accepted) return decide(target, decision);
    return refuse(target, decision, { code: 'job/decided', message: late });
  });
}

/**
 * The reason why a decision is about an earlier state of the job; undefined where it is about the present one. A cancel
 * is about all attempts of a turn.
 */
export function outdated(
  status: Pick<JobStatus, 'key' | 'turn' | 'attempt'>,
  { action, proof }: Decision,
): string | undefined {
  if (!proof) return undefined;
  const same =
    proof.turn === (status.turn ?? 0) && (action === 'cancelJob' || proof.attempt === status.attempt);
  return same ? undefined : `${status.key} has changed since this was decided. Look at it, and decide again.`;
}

/** Recorded as other refusals are, so that people see what was tried. */
function refuse(
  target: DecisionTarget | undefined,
  { proof: _proof, ...decision }: Decision,
  { code, message }: { code: DecisionCode; message: string },
): DecisionAnswer {
  const job = jobOf(target, decision);
  const isRoom = job && job.status.decisions.filter((one) => one.answer !== 'accepted').length < MAX_REFUSED;
  if (isRoom) {
    job.status.decisions = bounded([...job.status.decisions, { ...decision, at: Date.now(), answer: code }]);
    target?.run.changed();
  }
  return { accepted: false, code, message };
}

const jobOf = (target: DecisionTarget | undefined, { job }: Pick<Decision, 'job'>): JobRun | undefined =>
  target?.run.jobs.find((other) => other.spec.key === job);

/**
 * Judges, records and puts into effect in one synchronous step: one of two simultaneous decisions comes
 * first.
 */
export function decide(target: DecisionTarget | undefined, decision: Decision): DecisionAnswer {
  const { verdict, job } = consider(target, decision);
  if (job) {
    const answer = verdict.accepted ? 'accepted' : verdict.code;
    const { proof: _proof, ...said } = decision;
    const made = { ...said, ...bindingOf(target?.run, job, decision), at: Date.now(), answer };
    job.status.decisions = bounded([...job.status.decisions, made]);
    target?.run.changed();
  }
  if (!verdict.accepted) return { accepted: false, code: verdict.code, message: verdict.message };
  if (target && job) apply(target.scheduler, job, verdict.effect, decision.actor);
  return { accepted: true, message: verdict.message };
}

/** An approval is of this commit, this plan, this environment and these images, and the record says so. */
function bindingOf(run: Run | undefined, job: JobRun, { action }: Decision): Pick<Decision, 'binds'> {
  if (!run || action !== 'play' || !job.spec.gate) return {};
  const images = imageDigests(run, job);
  const environment = job.spec.environment?.name;
  return {
    binds: {
      sha: run.input.trigger.sha,
      plan: run.planBlob,
      ...(environment !== undefined && { environment }),
      ...(images.length > 0 && { images }),
    },
  };
}

/** The oldest refusal is dropped first: accepted decisions stay. */
function bounded(decisions: readonly Decision[]): Decision[] {
  if (decisions.length <= MAX_DECISIONS) return [...decisions];
  const refused = decisions.findIndex((one) => one.answer !== 'accepted');
  return decisions.filter((_one, index) => index !== Math.max(0, refused));
}

function consider(
  target: DecisionTarget | undefined,
  decision: Decision,
): { verdict: Verdict; job?: JobRun } {
  const job = target?.run.jobs.find((other) => other.spec.key === decision.job);
  if (!target || !job) return { verdict: notFound(decision.job) };
  const verdict = judge(
    {
      job: job.gate ? { ...job.spec, gate: job.gate } : job.spec,
      status: isGateClosed(job) ? { ...job.status, phase: 'dispatched' } : job.status,
      missing: missingFor(target.run, job),
      approveBySignal: target.run.limits.approveBySignal ?? true,
    },
    decision,
  );
  const starts = verdict.accepted && ['retry', 'play', 'stop'].includes(verdict.effect);
  return { job, verdict: starts && target.scheduler.stopping ? stopping(job.spec.key) : verdict };
}

function apply(
  scheduler: Scheduler,
  job: JobRun,
  effect: Extract<Verdict, { accepted: true }>['effect'],
  actor: string,
): void {
  if (effect === 'count') return;
  job.status.turn = (job.status.turn ?? 0) + 1;
  const starts = effect !== 'cancel' && effect !== 'reject';
  if (starts) job.playedBy = actor;
  switch (effect) {
    case 'approve':
      return decideGate(job, 'approved');
    case 'reject':
      return decideGate(job, 'rejected');
    case 'undelay':
      return job.state.phase === 'scheduled' ? job.state.startNow.resolve() : undefined;
    case 'play':
      return scheduler.startManual(job);
    case 'retry':
      job.askedAgain = true;
      return scheduler.retry(job);
    case 'stop':
      return scheduler.rerun(job);
    case 'cancel':
      return scheduler.cancelJob(job);
  }
}

const missingFor = (run: Run, job: JobRun): string[] =>
  (run.graph.requires[job.index] ?? []).flatMap((index) => {
    const other = run.jobs[index];
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
  message: `The pipeline is being cancelled. Start ${job} again when it has ended.`,
  record: false,
});
