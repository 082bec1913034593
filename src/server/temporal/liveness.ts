/**
 * Role: a call that waits for a workflow may wait long; one that waits for a Temporal that is away must not.
 * Not its role: making the call, saying what its end means (`temporal.ts`).
 */
import { setTimeout as delay } from 'node:timers/promises';

/** A hiccup is shorter: one that restarts a connection takes some hundred ms. */
const SILENCE_MS = 2_200;
/** Most calls are over before Temporal is asked whether it is there. */
const INITIAL_CHECK_MS = 500;
const CHECK_INTERVAL_MS = 250;
/** A try that was waiting for its turn is made once more, and its answer counts. */
const FINAL_RETRY_MS = 350;

/** Why `withLiveness` gave up. */
export class Silent extends Error {
  override readonly name = 'Silent';
}

export interface LivenessOptions {
  /** Whether Temporal answers within so many ms. Never rejects. */
  answers(withinMs: number): Promise<boolean>;
  silenceMs?: number;
}

/**
 * Does `work`, and aborts its signal once Temporal has answered nothing for `silenceMs` (2.2 s): it has
 * to try no more then, so that nothing happens later of what a person was told has failed. Rejects with `Silent` where `work`
 * does not end by itself.
 */
export async function withLiveness<T>(
  { answers, silenceMs = SILENCE_MS }: LivenessOptions,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const away = new AbortController();
  const over = new AbortController();
  const silent = look({ answers, silenceMs }, over.signal).then(async (gone) => {
    if (!gone) return new Promise<never>(() => undefined); // the call is over, the race as well
    away.abort();
    await delay(FINAL_RETRY_MS, undefined, { ref: false });
    throw new Silent('Temporal is away');
  });
  try {
    return await Promise.race([work(away.signal), silent]);
  } finally {
    over.abort();
  }
}

/** True once there was no answer for so long; false when the call is over. */
async function look({ answers, silenceMs }: Required<LivenessOptions>, over: AbortSignal): Promise<boolean> {
  const ended = new Promise<'over'>((resolve) => {
    over.addEventListener('abort', () => resolve('over'), { once: true });
  });
  let last = performance.now();
  let wait = Math.min(INITIAL_CHECK_MS, silenceMs / 2);
  for (;;) {
    await delay(wait, undefined, { signal: over }).catch(() => undefined); // the call is over
    if (over.aborted) return false;
    const left = last + silenceMs - performance.now();
    if (left <= 0) return true;
    // Asking may itself wait between two tries, past what it was given.
    const late = delay(left, false, { signal: over }).catch(() => false);
    const answer = await Promise.race([answers(left), ended, late]);
    if (answer === 'over') return false;
    if (answer) last = performance.now();
    wait = CHECK_INTERVAL_MS;
  }
}
