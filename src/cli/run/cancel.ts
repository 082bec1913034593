/** Sends the cancel of the first Ctrl-C until the server has accepted it. */
import { setTimeout as delay } from 'node:timers/promises';
import type { PipelineId } from '../../plan/model/ids.ts';
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
  let notified = false;
  while (!signal.aborted) {
    try {
      await client.cancel(id);
      return true;
    } catch (error) {
      if (isFinal(error)) throw error;
    }
    if (!notified && !signal.aborted) onAway();
    notified = true;
    await delay(AGAIN_MS, undefined, { signal }).catch(() => undefined); // aborted: the loop checks the signal
  }
  return false;
}
