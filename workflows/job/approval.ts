/**
 * Checks approvals again when the job begins. Between the approval and that moment there may be a delay, a lock
 * or a queue, and a user, a right, the target or an image can change. The check runs before each attempt, while
 * the locks are held; the worker of a deployment repeats it right before it writes.
 *
 * APPROVAL-1 An approval that is no longer valid makes the job ask again. It ends nothing, and nothing was
 *            started.
 */
import type { ApprovalQuestion } from '../../src/plan/model/approval.ts';
import type { Decision } from '../../src/plan/model/decision.ts';
import type { JobResult } from '../../src/plan/model/outcome.ts';
import { durable } from '../activities.ts';
import { hasVersion } from '../versions.ts';
import { imageDigests } from './inputs.ts';
import type { JobRun, Run } from './state.ts';

export const asksForApprovals = ({ spec }: JobRun): boolean =>
  spec.gate !== undefined && hasVersion('approvalsReadAgain');

/** A result of kind `approval` means that the job must ask again, with the current gate in `job.gate`. */
export async function lostApproval(run: Run, job: JobRun): Promise<JobResult | undefined> {
  const question = approvalQuestion(run, job);
  if (!question) return undefined;
  const answer = await durable.checkApproval(question);
  if (answer.verdict === 'stands') return undefined;
  if (answer.verdict === 'ask') job.gate = answer.gate;
  const kind = answer.verdict === 'ask' ? 'approval' : 'config';
  return { outcome: 'failed', kind, started: false, endedAt: Date.now(), message: answer.reason };
}

/** Undefined for a job without a gate. */
export function approvalQuestion(run: Run, job: JobRun): ApprovalQuestion | undefined {
  const { spec } = job;
  if (!spec.gate) return undefined;
  const { trigger } = run.input;
  return {
    project: trigger.project,
    job: spec.key,
    ...(spec.environment && { environment: spec.environment.name }),
    startedBy: trigger.actor,
    ...(trigger.startedBefore && { startedBefore: trigger.startedBefore }),
    ref: trigger.ref,
    ...(run.plan.trust && { protectedRef: run.plan.trust.protectedRef }),
    fork: trigger.fork,
    ...(trigger.local && trigger.role === 'operator' && trigger.sourceBlob && { local: true }),
    ...(spec.target !== undefined && { target: spec.target }),
    gate: job.gate ?? spec.gate,
    approvals: job.status.decisions
      .filter((one) => isOfThisGate(job, one) && isOfThese(one, imageDigests(run, job)))
      .map(({ actor, role, target }) => ({ actor, role, ...(target !== undefined && { target }) })),
  };
}

const isOfThisGate = (job: JobRun, { action, answer, at = 0 }: Decision): boolean =>
  action === 'play' && answer === 'accepted' && at >= (job.gateOpenedAt ?? 0);

/** The commit, plan and environment of a pipeline never change; an image does when its job is retried. */
const isOfThese = ({ binds }: Decision, images: readonly string[]): boolean =>
  binds?.images === undefined || binds.images.join() === images.join();
