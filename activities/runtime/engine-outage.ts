/** An engine that does not answer: whatever was asked of it may have been done or not, and is no fault of the job. */
import { DavitError } from '../../src/errors.ts';

/** Tries of one attempt. An engine that breaks off at the same request each time is not away: this is where that ends. */
const MAX_DISPATCHES = 12;

export const isAway = (error: unknown): error is DavitError =>
  error instanceof DavitError && error.code === 'engine/unreachable';

/** The same, and another try of this attempt is worth it. */
export const mayBeBack = (error: unknown, { epoch }: { epoch: number }): error is DavitError =>
  isAway(error) && epoch < MAX_DISPATCHES;
