import { ApplicationFailure, TemporalFailure } from '@temporalio/common';
import { DavitError, type ErrorCode } from '../../src/errors.ts';
import { messageOf } from '../../src/utils/message.ts';

/** Another try later may go well; anything else with a code stays as it is however often it is asked. */
const isOutage = (code: ErrorCode): boolean => code.endsWith('/unreachable') || code === 'forge/away';

/**
 * An activity whose DavitErrors reach the workflow as ApplicationFailures with the code as their type: the message speaks to a
 * person, and neither a stack nor a cause goes into history.
 */
export function coded<I, O>(activity: (input: I) => Promise<O>): (input: I) => Promise<O> {
  return async (input) => {
    try {
      return await activity(input);
    } catch (error) {
      const failed = error instanceof TemporalFailure ? error : failure(error);
      // Half of a character, where a text was cut, is no UTF-8: the SDK would end its worker over it.
      failed.message = failed.message.toWellFormed();
      throw failed;
    }
  };
}

function failure(error: unknown): ApplicationFailure {
  const known = error instanceof DavitError;
  const failed = ApplicationFailure.create({
    type: known ? error.code : 'internal/defect',
    message: known ? `${error.message} ${error.hint}` : messageOf(error),
    nonRetryable: known && !isOutage(error.code),
  });
  // Temporal writes it into history; the worker's own log has the whole error.
  failed.stack = '';
  return failed;
}
