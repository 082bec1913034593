/**
 * Waits until Temporal has recorded a heartbeat. This needs the client, because a worker sends its heartbeats
 * with a delay.
 */
import {
  ActivityCancelledError,
  ActivityNotFoundError,
  ActivityPausedError,
  ActivityResetError,
  type Client,
} from '@temporalio/client';
import { exponential, retry } from '../../src/utils/retry.ts';
import type { HeartbeatAck } from '../../activities/runtime/activity-lease.ts';

const MAX_ATTEMPTS = 6;
const BACKOFF = exponential(200, 3_200);

/** Rejects if Temporal does not respond to six attempts: then nothing is started. */
export const heartbeatAck = (client: Client): HeartbeatAck => ({
  beat: (activity, details) =>
    retry(
      async () => {
        try {
          await client.activity.heartbeat(activity, details);
          return 'recorded';
        } catch (error) {
          if (error instanceof ActivityCancelledError) return 'cancelled';
          if (error instanceof ActivityNotFoundError) return 'closed';
          // davit requests neither; both mean that this dispatch must not continue.
          if (error instanceof ActivityPausedError || error instanceof ActivityResetError) return 'closed';
          throw error;
        }
      },
      { retryable: () => true, backoff: BACKOFF, maxAttempts: MAX_ATTEMPTS },
    ),
});
