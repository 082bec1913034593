import { CancellationScope, sleep, Trigger } from '@temporalio/workflow';
import type { JobResult } from '../src/plan/outcome.ts';
import type { Gate } from '../src/plan/plan.ts';
import { enter, type JobRun, type Run } from './state.ts';

/**
 * Waits until a person has decided or the gate's deadline has passed. undefined: approved, the job may go on. Rejects only
 * when it is cancelled. Whoever decides first wins: the trigger takes one value.
 */
export async function waitAtGate(run: Run, one: JobRun, gate: Gate): Promise<JobResult | undefined> {
  const answer = new Trigger<'approved' | 'rejected' | 'expired'>();
  one.gate = answer;
  one.status.gate = { approvers: gate.approvers, expiresAt: Date.now() + gate.expiresInMs };
  enter(run, one, { phase: 'gate', waitingFor: 'gate' });
  const clock = new CancellationScope();
  void clock
    .run(() => sleep(gate.expiresInMs, { summary: `gate of ${one.job.key} expires` }))
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
      message: end === 'expired' ? 'Nobody approved it before its deadline.' : rejection(one),
    };
  } finally {
    one.gate = undefined;
    one.status.gate = undefined;
    clock.cancel();
  }
}

function rejection(one: JobRun): string {
  const made = one.status.decisions.findLast((decision) => decision.action === 'reject');
  return `${made?.actor ?? 'Somebody'} rejected it${made?.comment ? `: ${made.comment}` : '.'}`;
}
