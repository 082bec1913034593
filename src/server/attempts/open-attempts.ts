/**
 * Whether an attempt is still open, at the moment when its token is used. Temporal decides: the activity is pending.
 * While Temporal does not answer, the log decides: it has not ended, and no newer dispatch writes it. So an outage of
 * Temporal ends no job, and an ended attempt writes nothing.
 */
import { DavitError } from '../../errors.ts';
import type { ServerDeps } from '../deps.ts';
import type { AttemptClaims } from './attempt-token.ts';

const MAX_KNOWN = 10_000;

export interface OpenAttempts {
  /** Rejects with `log/fenced`. An answer that is younger than `withinMs` is used again. */
  mustBeOpen(attempt: AttemptClaims, withinMs: number): Promise<void>;
  /** Temporal has just said that it is open. */
  seen(attempt: AttemptClaims): void;
}

export function openAttempts({ workflows, logs }: Pick<ServerDeps, 'workflows' | 'logs'>): OpenAttempts {
  /** When Temporal last said so, by activity; on this process's monotonic clock. */
  const known = new Map<string, number>();
  const keyOf = ({ run, activity }: AttemptClaims): string => `${run} ${activity}`;
  const seen = (attempt: AttemptClaims): void => {
    if (known.size >= MAX_KNOWN) known.clear();
    known.set(keyOf(attempt), performance.now());
  };
  const isPending = async (attempt: AttemptClaims): Promise<boolean | undefined> => {
    try {
      const found = await workflows.describe(attempt.pipeline);
      const pending = found?.open && found.runId === attempt.run ? found.pending : [];
      return pending.some((one) => one.activityId === attempt.activity);
    } catch (error) {
      if (error instanceof DavitError && error.http === 503) return undefined;
      throw error;
    }
  };
  return {
    seen,
    async mustBeOpen(attempt, withinMs) {
      const at = known.get(keyOf(attempt));
      if (at !== undefined && performance.now() - at < withinMs) return;
      const pending = await isPending(attempt);
      if (pending) return seen(attempt);
      known.delete(keyOf(attempt));
      if (pending === undefined && (await isLogOpen(logs, attempt))) return;
      throw new DavitError(
        'log/fenced',
        `The attempt ${attempt.job} ${attempt.attempt} of ${attempt.pipeline} is over, or another dispatch has it.`,
      );
    },
  };
}

async function isLogOpen(logs: ServerDeps['logs'], { kind, ...attempt }: AttemptClaims): Promise<boolean> {
  const state = await logs.state(attempt);
  const highest = kind === 'stop' ? attempt.epoch + 1 : attempt.epoch;
  return state === undefined || (!state.ended && state.epoch <= highest);
}
