import { CancellationScope, sleep, Trigger } from '@temporalio/workflow';
import type { JobResult } from '../../src/plan/model/outcome.ts';
import type { Gate } from '../../src/plan/model/plan.ts';
import { setPhase, type JobRun, type Run } from './state.ts';

/**
 * Waits until a person has decided or the gate's deadline has passed. undefined: approved, the job may go on. Rejects only
 * when it is cancelled. Whoever decides first wins: the trigger takes one value.
 */
export async function waitAtGate(run: Run, job: JobRun, gate: Gate): Promise<JobResult | undefined> {
  const answer = new Trigger<'approved' | 'rejected' | 'expired'>();
  job.gate = answer;
  job.status.gate = { approvers: gate.approvers, expiresAt: Date.now() + gate.expiresInMs };
  setPhase(run, job, { phase: 'gate', waitingFor: 'gate' });
  const clock = new CancellationScope();
  void clock
    .run(() => sleep(gate.expiresInMs, { summary: `gate of ${job.spec.key} expires` }))
    .then(
      () => answer.resolve('expired'),
      () => undefined, // the clock was stopped: somebody has decided
    );
  try {
    const end = await answer;
    if (end === 'approved') return undefined;
    return {
      outcome: end === 'expired' ? 'expired' : 'failed',
      kind: end,
      started: false,
      endedAt: Date.now(),
      message: end === 'expired' ? 'Nobody approved it before its deadline.' : rejection(job),
    };
  } finally {
    job.gate = undefined;
    job.status.gate = undefined;
    clock.cancel();
  }
}

function rejection(job: JobRun): string {
  const made = job.status.decisions.findLast((decision) => decision.action === 'reject');
  return `${made?.actor ?? 'Somebody'} rejected it${made?.comment ? `: ${made.comment}` : '.'}`;
}
