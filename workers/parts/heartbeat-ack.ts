/** Heartbeats whose recording is awaited: only the client can tell, a worker's own are sent some time later. */
import { setTimeout as delay } from 'node:timers/promises';
import {
  ActivityCancelledError,
  ActivityNotFoundError,
  ActivityPausedError,
  ActivityResetError,
  type Client,
} from '@temporalio/client';
import type { HeartbeatAck } from '../../activities/job/deps.ts';

const TRIES = 6;
const INITIAL_RETRY_MS = 100;

/** Rejects when Temporal has not answered six tries: then nothing is started. */
export const heartbeatAck = (client: Client): HeartbeatAck => ({
  async beat(activity, details) {
    for (let tried = 1; ; tried++) {
      try {
        await client.activity.heartbeat(activity, details);
        return 'recorded';
      } catch (error) {
        if (error instanceof ActivityCancelledError) return 'cancelled';
        if (error instanceof ActivityNotFoundError) return 'closed';
        // Neither is asked for by davit; both mean that this try shall not go on.
        if (error instanceof ActivityPausedError || error instanceof ActivityResetError) return 'closed';
        if (tried === TRIES) throw error;
        await delay(INITIAL_RETRY_MS * 2 ** tried);
      }
    }
  },
});
