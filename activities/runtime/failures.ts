/**
 * How an activity fails, in the types of `activities/contract.ts` that a workflow acts upon. No stack and no
 * cause is stored in history.
 */
import { ApplicationFailure, CancelledFailure, Context } from '@temporalio/activity';
import { TemporalFailure } from '@temporalio/common';
import { DavitError, isTransient } from '../../src/errors.ts';
import { isArch } from '../../src/plan/model/ids.ts';
import { type DetachedDetails, FAILURE_TYPES } from '../../src/plan/model/outcome.ts';
import { messageOf } from '../../src/utils/message.ts';

function failure(type: string, message: string, details: unknown[]): ApplicationFailure {
  const made = ApplicationFailure.create({ type, message, details, nonRetryable: true });
  made.stack = '';
  return made;
}

/** The container continues on this host. */
export function workerLost(host: string): ApplicationFailure {
  const details: DetachedDetails = { host };
  return failure(FAILURE_TYPES.workerLost, 'The worker stops; the container keeps running.', [details]);
}

/** Nothing was started. */
export const requeue = (reason: string): ApplicationFailure =>
  failure(FAILURE_TYPES.requeue, reason, [{ reason }]);

/**
 * Another dispatch has this job now; the workflow receives nothing from this one, because its activity is
 * closed.
 */
export const superseded = (): ApplicationFailure =>
  failure(FAILURE_TYPES.superseded, 'Another dispatch has this job.', []);

export const cancelled = (): CancelledFailure => new CancelledFailure('The job was cancelled.');

/**
 * For a catch block. If the activity has to end, throws the failure that the workflow acts upon
 * (`activities/contract.ts`) and does not return. A worker that stops requeues work that can start again from
 * the beginning.
 */
export function throwIfEnded(): void {
  const context = Context.current();
  if (!context.cancellationSignal.aborted) return;
  const why = context.cancellationDetails;
  if (why?.workerShutdown && !why.cancelRequested) throw requeue('The worker stopped; this starts over.');
  throw new CancelledFailure(
    why?.cancelRequested ? 'cancelled' : 'this dispatch is not the current one any more',
  );
}

/**
 * A worker without one of the job's tags requeues it before anything is started. Architectures are queues,
 * not tags.
 */
export function requeueUnlessQueueMatches(wanted: readonly string[], own: readonly string[]): void {
  const lacking = wanted.filter((tag) => !isArch(tag) && !own.includes(tag));
  if (lacking.length > 0) throw requeue(`This worker lacks the tag ${lacking.join(', ')}.`);
}

/**
 * Wraps an activity so that its DavitErrors reach the workflow as ApplicationFailures with the code as their
 * type. The message is for a person; neither a stack nor a cause is stored in history.
 */
export function coded<I, O>(activity: (input: I) => Promise<O>): (input: I) => Promise<O> {
  return async (input) => {
    try {
      return await activity(input);
    } catch (error) {
      const failed = error instanceof TemporalFailure ? error : codedFailure(error);
      // A text that was cut within a character is not valid UTF-8, which would end the SDK's worker.
      failed.message = failed.message.toWellFormed();
      throw failed;
    }
  };
}

function codedFailure(error: unknown): ApplicationFailure {
  const known = error instanceof DavitError;
  const failed = ApplicationFailure.create({
    type: known ? error.code : 'internal/defect',
    message: known ? `${error.message} ${error.hint}` : messageOf(error),
    nonRetryable: known && !isTransient(error),
  });
  // Temporal stores it in history; the worker's own log has the whole error.
  failed.stack = '';
  return failed;
}

/**
 * Maximum number of dispatches of one attempt. An engine that breaks off at the same request each time is not
 * merely unreachable.
 */
const MAX_DISPATCHES = 12;

export const isAway = (error: unknown): error is DavitError =>
  error instanceof DavitError && error.code === 'engine/unreachable';

/** The same, where another dispatch of this attempt may help. */
export const isAwayForNow = (error: unknown, { epoch }: { epoch: number }): error is DavitError =>
  isAway(error) && epoch < MAX_DISPATCHES;
