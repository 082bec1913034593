/**
 * Whether a person's decision about a job may take effect now. Pure. The only such place: for the Update's
 * validator and handler, for the signal `approve`, and for the decision with which a closed pipeline is
 * rerun.
 */
import { isNamed, missingApprovals, reasonNotCounted } from './approvals.ts';
import type { PlanJob } from '../model/plan.ts';
import type { Decision, DecisionCode, JobStatus } from '../model/protocol.ts';

export type Verdict =
  | {
      accepted: true;
      effect: 'approve' | 'count' | 'reject' | 'play' | 'undelay' | 'retry' | 'stop' | 'cancel';
      message: string;
    }
  /**
   * `record`: it came too late or second, which belongs in the history; otherwise only the caller needs to
   * know.
   */
  | { accepted: false; code: DecisionCode; message: string; record: boolean };

export interface DecisionView {
  job: PlanJob;
  status: Pick<JobStatus, 'phase' | 'outcome' | 'decisions'> & Partial<Pick<JobStatus, 'since'>>;
  /** Jobs the gate requires that have not succeeded. */
  missing: readonly string[];
  /** Installations with more than one user can switch the signal off. */
  approveBySignal: boolean;
}

/**
 * Refused requests are recorded too, up to this number per job: repeated requests of one person must neither
 * displace accepted decisions nor use up the Updates that a workflow accepts (2,000).
 */
const MAX_REFUSED = 20;

export function judge(view: DecisionView, decision: Decision): Verdict {
  const verdict = consider(view, decision);
  if (verdict.accepted || verdict.record || verdict.code !== 'gate/not-an-approver') return verdict;
  const refused = view.status.decisions.filter((one) => one.answer !== 'accepted').length;
  return { ...verdict, record: refused < MAX_REFUSED };
}

function consider(view: DecisionView, decision: Decision): Verdict {
  if (decision.role === 'reader')
    return refuse(
      'gate/not-an-approver',
      `${decision.actor} has role reader, which may not decide about jobs.`,
    );
  if (decision.role === 'temporal' && !view.approveBySignal)
    return refuse('gate/not-an-approver', 'Approval by signal is disabled in this installation.', true);
  switch (decision.action) {
    case 'play':
      return judgePlay(view, decision);
    case 'reject':
      return view.status.phase === 'gate'
        ? (notApprover(view, decision) ?? accept('reject', `${decision.job} was rejected.`))
        : tooLate(view, decision);
    case 'retry':
      return judgeRetry(view, decision);
    case 'cancelJob':
      return judgeCancel(view, decision);
  }
}

function judgePlay(view: DecisionView, decision: Decision): Verdict {
  const { job, status } = view;
  switch (status.phase) {
    case 'gate':
      return notApprover(view, decision) ?? unconfirmed(view, decision) ?? judgeApproval(view, decision);
    case 'manual':
      return unconfirmed(view, decision) ?? accept('play', `${job.key} starts.`);
    case 'scheduled':
      return accept('undelay', `${job.key} starts now.`);
    case 'ended':
      return decision.stops === undefined ? tooLate(view, decision) : judgeStop(view, decision.stops);
    case 'created':
      if (!job.gate) return refuse('job/not-playable', `${job.key} is still waiting for earlier jobs.`);
      return (
        notApprover(view, decision) ??
        refuse(
          'gate/not-ready',
          view.missing.length > 0
            ? `${job.key} requires ${view.missing.join(', ')} to have succeeded.`
            : `${job.key} is still waiting for earlier jobs.`,
        )
      );
    default:
      return tooLate(view, decision);
  }
}

/** The gate opens with the last of the approvals that it takes; each is recorded. */
function judgeApproval({ job, status }: DecisionView, decision: Decision): Verdict {
  const { gate } = job;
  if (!gate?.protection) return accept('approve', `${job.key} was approved.`);
  // Those of an earlier life of the job do not count: it was asked again.
  const before = status.decisions.filter(
    (one) => one.action === 'play' && one.answer === 'accepted' && (one.at ?? 0) >= (status.since ?? 0),
  );
  if (before.some((one) => one.actor.toLowerCase() === decision.actor.toLowerCase()))
    return refuse('job/decided', `${decision.actor} has approved ${job.key} already.`, true);
  const missing = missingApprovals(gate, [...before, decision]);
  return missing === 0
    ? accept('approve', `${job.key} was approved.`)
    : accept('count', `${job.key} needs ${missing} more ${missing === 1 ? 'approval' : 'approvals'}.`);
}

/**
 * A job that was skipped, has failed, or had ended before this deployment may stop the environment too. Once
 * each.
 */
function judgeStop({ job, status }: DecisionView, deployedAt: number): Verdict {
  const done = status.outcome === 'succeeded' && (status.since ?? 0) >= deployedAt;
  if (done) return refuse('job/decided', `${job.key} has already stopped the environment.`, true);
  return accept('stop', `${job.key} starts.`);
}

function judgeRetry({ job, status }: DecisionView, _decision: Decision): Verdict {
  if (status.phase !== 'ended') return refuse('job/not-playable', `${job.key} has not ended.`);
  if (status.outcome === 'skipped')
    return refuse('job/not-playable', `${job.key} was skipped. Retry the job that it waits for.`);
  return accept('retry', `${job.key} runs again.`);
}

function judgeCancel({ job, status }: DecisionView, _decision: Decision): Verdict {
  if (status.phase === 'stopping') return refuse('job/decided', `${job.key} is already being stopped.`, true);
  if (status.phase === 'ended') return refuse('job/not-playable', `${job.key} has ended.`, true);
  return accept('cancel', `${job.key} is cancelled.`);
}

/** The job does not wait for this decision, or no longer. A late approval does not revive a cancelled job. */
function tooLate({ job, status }: DecisionView, decision: Decision): Verdict {
  if (status.phase === 'ended' && status.outcome === 'expired')
    return refuse('gate/expired', `The gate of ${job.key} has expired.`, true);
  const made = status.decisions.findLast(
    (one) => one.answer === 'accepted' && (one.action === 'play' || one.action === 'reject'),
  );
  if (made)
    return refuse(
      'job/decided',
      `${made.actor} has already decided about ${job.key} (${made.action}).`,
      true,
    );
  const message =
    decision.action === 'reject'
      ? `${job.key} does not have an open gate.`
      : `${job.key} is not waiting for a person.`;
  return refuse('job/not-playable', message, job.gate !== undefined);
}

/**
 * Names or roles; empty means operators. A person with access to Temporal itself is above davit's users, and
 * recorded so.
 */
function notApprover({ job }: DecisionView, decision: Decision): Verdict | undefined {
  const uncountedBecause = job.gate && reasonNotCounted(job.gate, decision);
  if (uncountedBecause !== undefined) return refuse('gate/not-an-approver', uncountedBecause);
  if (job.gate?.protection) return undefined;
  const approvers = job.gate?.approvers ?? [];
  if (decision.role === 'temporal' && !job.admission) return undefined;
  if (isNamed(approvers, decision)) return undefined;
  const required = approvers.length === 0 ? 'operator' : approvers.join(', ');
  return refuse(
    'gate/not-an-approver',
    `${decision.actor} may not decide about ${job.key}. Approvers: ${required}.`,
  );
}

/** `manual_confirmation`: nothing starts unless the caller has confirmed the text. */
function unconfirmed({ job }: DecisionView, decision: Decision): Verdict | undefined {
  if (job.confirmation === undefined || decision.confirm === true) return undefined;
  return refuse('job/unconfirmed', job.confirmation);
}

const accept = (effect: Extract<Verdict, { accepted: true }>['effect'], message: string): Verdict => ({
  accepted: true,
  effect,
  message,
});
const refuse = (code: DecisionCode, message: string, record = false): Verdict => ({
  accepted: false,
  code,
  message,
  record,
});
