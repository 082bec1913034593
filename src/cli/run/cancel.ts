/** What the first Ctrl-C asks of the server, until somebody has heard it. */
import { setTimeout as delay } from 'node:timers/promises';
import type { PipelineId } from '../../plan/model/ids.ts';
import type { ApiClient } from '../client/api-client.ts';
import { isFinal } from '../client/log-follower.ts';

const AGAIN_MS = 500;

export interface CancelOptions {
  id: PipelineId;
  /** Ends the asking: it has ended, or was let go of. */
  signal: AbortSignal;
  /** Told once, when it takes more than one try. */
  onAway(): void;
}

/** True once the cancel is durable, false when the signal came first. Rejects when it is refused: it has ended by itself. */
export async function cancelWithRetry(
  client: Pick<ApiClient, 'cancel'>,
  { id, signal, onAway }: CancelOptions,
): Promise<boolean> {
  let told = false;
  while (!signal.aborted) {
    try {
      await client.cancel(id);
      return true;
    } catch (error) {
      if (isFinal(error)) throw error;
    }
    if (!told && !signal.aborted) onAway();
    told = true;
    await delay(AGAIN_MS, undefined, { signal }).catch(() => undefined); // ended: seen by the loop
  }
  return false;
}
