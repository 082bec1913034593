/** Tells Temporal that an activity is alive, by heartbeats that name its host. */
import { Context } from '@temporalio/activity';

const HEARTBEAT_MS = 5_000;

/** Sends heartbeats from now on, the first one after `everyMs`. Returns a function that stops them. */
export function startHeartbeat(host: string, everyMs: number): () => void {
  const context = Context.current();
  const timer = setInterval(() => context.heartbeat({ host }), everyMs);
  return () => clearInterval(timer);
}

/**
 * Runs `work` under heartbeats. Its signal is aborted when the workflow cancels, when the worker stops, and
 * after `timeoutMs` (reason: a TimeoutError).
 */
export async function withHeartbeat<T>(
  options: { host: string; timeoutMs?: number; everyMs?: number },
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const context = Context.current();
  context.heartbeat({ host: options.host });
  const stop = startHeartbeat(options.host, options.everyMs ?? HEARTBEAT_MS);
  const signals = [context.cancellationSignal];
  if (options.timeoutMs !== undefined) signals.push(AbortSignal.timeout(options.timeoutMs));
  try {
    return await work(AbortSignal.any(signals));
  } finally {
    stop();
  }
}

/**
 * Runs an activity of the control queue under heartbeats, so that another attempt starts soon after its
 * worker is lost. A cancel does not end it: it is short, or can be repeated.
 */
export const heartbeating =
  <I, O>(activity: (input: I) => Promise<O>): ((input: I) => Promise<O>) =>
  (input) =>
    withHeartbeat({ host: 'control' }, () => activity(input));
