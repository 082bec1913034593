/** One thing that `davit doctor` looked at. A check never rejects: what goes wrong in it is its finding. */
import { DavitError } from '../../errors.ts';
import { messageOf } from '../../utils/message.ts';

/** ok · warn: it works, but not for everything · fail: something davit needs is not there. */
export type Verdict = 'ok' | 'warn' | 'fail';

export interface Finding {
  /** `engine`, `architecture arm32`, `registry`… */
  name: string;
  verdict: Verdict;
  /** What was found, one sentence. */
  found: string;
  /** What to do; always there unless it is ok. */
  remedy?: string;
  /** The coded error behind it, if there is one. */
  code?: string;
}

export const ok = (name: string, found: string): Finding => ({ name, verdict: 'ok', found });
export const warn = (name: string, found: string, remedy: string): Finding => ({
  name,
  verdict: 'warn',
  found,
  remedy,
});
export const fail = (name: string, found: string, remedy: string): Finding => ({
  name,
  verdict: 'fail',
  found,
  remedy,
});

/** Runs a check; what it throws becomes a failed finding with the error's own remedy. */
export async function finding(name: string, check: () => Promise<Finding | Finding[]>): Promise<Finding[]> {
  try {
    return [await check()].flat();
  } catch (error) {
    if (error instanceof DavitError) return [{ ...fail(name, error.message, error.hint), code: error.code }];
    const why = messageOf(error);
    return [fail(name, why, 'Start davit with `davit up` and look again; the log of the part says more.')];
  }
}
