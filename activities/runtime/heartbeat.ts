/** How an activity that runs no container of its own lives: its heartbeat, its clock, and why it was told to end. */
import { CancelledFailure, Context } from '@temporalio/activity';
import { isArch } from '../../src/plan/model/ids.ts';
import { requeue } from './failures.ts';

const BEAT_MS = 5_000;

/**
 * Runs `work` under heartbeats that name the host. Its signal is aborted when the workflow cancels, when the worker goes
 * away, and after `timeoutMs` (reason: a TimeoutError).
 */
export async function withHeartbeat<T>(
  options: { host: string; timeoutMs?: number },
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const context = Context.current();
  const details = { host: options.host };
  context.heartbeat(details);
  const timer = setInterval(() => context.heartbeat(details), BEAT_MS);
  const signals = [context.cancellationSignal];
  if (options.timeoutMs !== undefined) signals.push(AbortSignal.timeout(options.timeoutMs));
  try {
    return await work(AbortSignal.any(signals));
  } finally {
    clearInterval(timer);
  }
}

/**
 * An activity of the control queue that says all the time that it lives, so that another try comes soon after its worker has
 * gone. It does not end by a cancel: what it does is short, or can be done again.
 */
export const heartbeating =
  <I, O>(activity: (input: I) => Promise<O>): ((input: I) => Promise<O>) =>
  (input) =>
    withHeartbeat({ host: 'control' }, () => activity(input));

/**
 * Called in a catch: when the activity was told to end, throws what the workflow acts upon (`activities/contract.ts`) and
 * does not return. A worker that goes away hands back what can be done again from the start.
 */
export function throwIfEnded(): void {
  const context = Context.current();
  if (!context.cancellationSignal.aborted) return;
  const why = context.cancellationDetails;
  if (why?.workerShutdown && !why.cancelRequested)
    throw requeue('The worker went away; this is done again from its start.');
  throw new CancelledFailure(why?.cancelRequested ? 'cancelled' : 'this try is not the current one any more');
}

/** A worker without one of the job's tags gives it back before anything is started. Architectures are queues, not tags. */
export function requeueUnlessQueueMatches(wanted: readonly string[], own: readonly string[]): void {
  const lacking = wanted.filter((tag) => !isArch(tag) && !own.includes(tag));
  if (lacking.length > 0) throw requeue(`This worker lacks the tag ${lacking.join(', ')}.`);
}
