/** Sends the cancel of the first Ctrl-C until the server has accepted it. */
import type { PipelineId } from '../../plan/model/ids.ts';
import { constant, retry } from '../../utils/retry.ts';
import type { ApiClient } from '../client/api-client.ts';
import { isFinal } from '../client/log-follower.ts';

const AGAIN_MS = 500;

export interface CancelOptions {
  id: PipelineId;
  /** Stops retrying: the pipeline has ended, or the user has left. */
  signal: AbortSignal;
  /** Called once if the first request fails. */
  onAway(): void;
}

/**
 * True once the cancel is durable, false if aborted first. Rejects if refused, because the pipeline has
 * ended.
 */
export async function cancelWithRetry(
  client: Pick<ApiClient, 'cancel'>,
  { id, signal, onAway }: CancelOptions,
): Promise<boolean> {
  if (signal.aborted) return false;
  let notified = false;
  const onWait = (): void => {
    if (!notified) onAway();
    notified = true;
  };
  try {
    const policy = { final: isFinal, retryable: () => true, backoff: constant(AGAIN_MS), signal, onWait };
    await retry(() => client.cancel(id), policy);
    return true;
  } catch (error) {
    if (isFinal(error)) throw error;
    return false; // the signal ended it
  }
}
