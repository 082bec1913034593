/** What the first Ctrl-C asks of the server, until somebody has heard it. */
import type { PipelineId } from '../../plan/model/ids.ts';
import { constant, retry } from '../../utils/retry.ts';
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
  if (signal.aborted) return false;
  let told = false;
  const onWait = (): void => {
    if (!told) onAway();
    told = true;
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
