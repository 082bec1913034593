/** The failures of `activities/contract.ts` that a workflow acts upon. No stack goes into history. */
import { ApplicationFailure, CancelledFailure } from '@temporalio/activity';
import { type DetachedDetails, THROWN } from '../../src/plan/outcome.ts';

function failure(type: string, message: string, details: unknown[]): ApplicationFailure {
  const made = ApplicationFailure.create({ type, message, details, nonRetryable: true });
  made.stack = '';
  return made;
}

/** The container runs on, on this host. */
export function detached(host: string): ApplicationFailure {
  const details: DetachedDetails = { host };
  return failure(THROWN.detached, 'The worker goes away; the container runs on.', [details]);
}

/** Nothing was started. */
export const handedBack = (reason: string): ApplicationFailure =>
  failure(THROWN.handedBack, reason, [{ reason }]);

/** Another try has this job now; the workflow hears nothing of this one, its activity is closed. */
export const replaced = (): ApplicationFailure => failure(THROWN.replaced, 'Another try has this job.', []);

export const cancelled = (): CancelledFailure => new CancelledFailure('The job was cancelled.');
