/** The failures of `activities/contract.ts` that a workflow acts upon. No stack goes into history. */
import { ApplicationFailure, CancelledFailure } from '@temporalio/activity';
import { type DetachedDetails, FAILURE_TYPES } from '../../src/plan/model/outcome.ts';

function failure(type: string, message: string, details: unknown[]): ApplicationFailure {
  const made = ApplicationFailure.create({ type, message, details, nonRetryable: true });
  made.stack = '';
  return made;
}

/** The container runs on, on this host. */
export function workerLost(host: string): ApplicationFailure {
  const details: DetachedDetails = { host };
  return failure(FAILURE_TYPES.workerLost, 'The worker goes away; the container runs on.', [details]);
}

/** Nothing was started. */
export const requeue = (reason: string): ApplicationFailure =>
  failure(FAILURE_TYPES.requeue, reason, [{ reason }]);

/** Another try has this job now; the workflow hears nothing of this one, its activity is closed. */
export const superseded = (): ApplicationFailure =>
  failure(FAILURE_TYPES.superseded, 'Another try has this job.', []);

export const cancelled = (): CancelledFailure => new CancelledFailure('The job was cancelled.');
