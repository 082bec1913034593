import { CancellationScope, sleep, Trigger } from '@temporalio/workflow';
import type { JobResult } from '../../src/plan/model/outcome.ts';
import type { Gate } from '../../src/plan/model/plan.ts';
import { setLivePhase, type GateDecision, type JobRun, type Run } from './state.ts';

/**
 * Waits until a person has decided or the gate has expired. Returns undefined when it is approved and the job
 * may continue. Rejects only when the job is cancelled. The first decision counts: a trigger takes one value.
 */
export async function waitAtGate(run: Run, job: JobRun, gate: Gate): Promise<JobResult | undefined> {
  const decision = new Trigger<GateDecision>();
  job.gateOpenedAt = Date.now();
  job.status.gate = { approvers: gate.approvers, expiresAt: Date.now() + gate.expiresInMs };
  setLivePhase(run, job, { phase: 'gate', decision }, 'gate');
  const clock = new CancellationScope();
  void clock
    .run(() => sleep(gate.expiresInMs, { summary: `gate of ${job.spec.key} expires` }))
    .then(
      () => decision.resolve('expired'),
      () => undefined, // the clock was stopped: a person has decided
    );
  try {
    const end = await decision;
    if (end === 'approved') return undefined;
    return {
      outcome: end === 'expired' ? 'expired' : 'failed',
      kind: end,
      started: false,
      endedAt: Date.now(),
      message: end === 'expired' ? 'The gate expired before it was approved.' : rejection(job),
    };
  } finally {
    closeGate(job);
    job.status.gate = undefined;
    clock.cancel();
  }
}

/**
 * The gate is closed at once: a second decision in the same moment finds it decided, before the job has moved
 * on.
 */
export function decideGate(job: JobRun, decision: GateDecision): void {
  if (job.state.phase !== 'gate') return;
  job.state.decision?.resolve(decision);
  closeGate(job);
}

/** From now on no decision has an effect. */
export function closeGate(job: JobRun): void {
  if (job.state.phase === 'gate') job.state = { phase: 'gate', scope: job.state.scope };
}

/** Decided, expired or cancelled, and the job has not moved on yet. */
export const isGateClosed = ({ state }: JobRun): boolean => state.phase === 'gate' && !state.decision;

function rejection(job: JobRun): string {
  const decision = job.status.decisions.findLast((one) => one.action === 'reject');
  return `Rejected by ${decision?.actor ?? 'an unknown person'}${decision?.comment ? `: ${decision.comment}` : '.'}`;
}
