/**
 * Role: a call may wait long for a workflow, but not for an unreachable Temporal.
 * Not its role: making the call, interpreting its result (`temporal.ts`).
 */
import { setTimeout as delay } from 'node:timers/promises';

/** Longer than a reconnect, which takes some hundred ms. */
const SILENCE_MS = 2_200;
/** Most calls end before the first check. */
const INITIAL_CHECK_MS = 500;
const CHECK_INTERVAL_MS = 250;
/** Time for a last retry, whose result counts. */
const FINAL_RETRY_MS = 350;

/** Why `withLiveness` gave up. */
export class Silent extends Error {
  override readonly name = 'Silent';
}

export interface LivenessOptions {
  /** True if Temporal responds within this number of ms. Never rejects. */
  responds(withinMs: number): Promise<boolean>;
  silenceMs?: number;
}

/**
 * Runs `work`, and aborts its signal once Temporal has not responded for `silenceMs` (2.2 s). `work` must not
 * retry after that, so that nothing reported as failed takes effect later. Rejects with `Silent` if `work`
 * does not end by itself.
 */
export async function withLiveness<T>(
  { responds, silenceMs = SILENCE_MS }: LivenessOptions,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const away = new AbortController();
  const over = new AbortController();
  const silent = becomesSilent({ responds, silenceMs }, over.signal).then(async (isSilent) => {
    if (!isSilent) return new Promise<never>(() => undefined); // the call and the race have ended
    away.abort();
    await delay(FINAL_RETRY_MS, undefined, { ref: false });
    throw new Silent('Temporal does not respond');
  });
  try {
    return await Promise.race([work(away.signal), silent]);
  } finally {
    over.abort();
  }
}

/** True after `silenceMs` without a response; false if the call ends first. */
async function becomesSilent(
  { responds, silenceMs }: Required<LivenessOptions>,
  over: AbortSignal,
): Promise<boolean> {
  const ended = new Promise<'over'>((resolve) => {
    over.addEventListener('abort', () => resolve('over'), { once: true });
  });
  let last = performance.now();
  let wait = Math.min(INITIAL_CHECK_MS, silenceMs / 2);
  for (;;) {
    await delay(wait, undefined, { signal: over }).catch(() => undefined); // the call has ended
    if (over.aborted) return false;
    const left = last + silenceMs - performance.now();
    if (left <= 0) return true;
    // The check itself may wait between two attempts, beyond its time limit.
    const late = delay(left, false, { signal: over }).catch(() => false);
    const result = await Promise.race([responds(left), ended, late]);
    if (result === 'over') return false;
    if (result) last = performance.now();
    wait = CHECK_INTERVAL_MS;
  }
}
