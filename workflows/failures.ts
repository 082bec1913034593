/** What an activity's end by failure means for the job. One place, because everything that resumes or retries reads it. */
import { ActivityFailure, ApplicationFailure, CancelledFailure, TimeoutFailure } from '@temporalio/common';
import { FAILURE_TYPES } from '../src/plan/model/outcome.ts';
import { messageOf } from '../src/utils/message.ts';

export type ActivityFailureKind =
  /** It stopped because it was asked to; it has cleaned up, or had not begun. */
  | { kind: 'cancelled' }
  /** The worker went away, the container runs on. */
  | { kind: 'detached'; host: string }
  /** The worker may not run it; nothing was started. */
  | { kind: 'requeued'; reason: string }
  /** Nobody took it from its queue in time. */
  | { kind: 'unclaimed' }
  /** The worker fell silent. A host means that a container may run there; none, that none was ever started. */
  | { kind: 'heartbeat-lost'; host?: string }
  /** A higher epoch writes its log, of which this run knows nothing: a run that was reset counts from the beginning again. */
  | { kind: 'fenced'; message: string }
  /** Past davit's own guard, far beyond the job's timeout. */
  | { kind: 'too-long' }
  | { kind: 'defect'; message: string };

/** SDK's type of the failure of an activity whose worker shuts down before the activity ends. */
const WORKER_SHUTDOWN = 'WorkerShutdown';
/** Of an activity that is closed nobody hears it; of one that is open it is no zombie's. */
const FENCED: readonly string[] = ['log/fenced', FAILURE_TYPES.superseded];

/** What failed inside of an activity or a child; Temporal's own wrapper says only which one it was. */
export const causeMessage = (error: unknown): string =>
  messageOf(error instanceof Error && error.cause instanceof Error ? error.cause : error);

export function classify(error: unknown): ActivityFailureKind {
  if (error instanceof CancelledFailure) return { kind: 'cancelled' };
  const cause = error instanceof ActivityFailure ? error.cause : error;
  if (cause instanceof CancelledFailure) return { kind: 'cancelled' };
  if (cause instanceof TimeoutFailure) return timeout(cause);
  if (cause instanceof ApplicationFailure) {
    const host = hostIn(cause.details?.[0]);
    if (cause.type === FAILURE_TYPES.workerLost && host) return { kind: 'detached', host };
    if (cause.type === FAILURE_TYPES.requeue) return { kind: 'requeued', reason: cause.message };
    if (FENCED.includes(cause.type ?? '')) return { kind: 'fenced', message: cause.message };
    if (cause.type === WORKER_SHUTDOWN) return { kind: 'heartbeat-lost' };
  }
  return { kind: 'defect', message: messageOf(cause) };
}

function timeout(cause: TimeoutFailure): ActivityFailureKind {
  if (cause.timeoutType === 'SCHEDULE_TO_START') return { kind: 'unclaimed' };
  if (cause.timeoutType === 'HEARTBEAT')
    return { kind: 'heartbeat-lost', host: hostIn(cause.lastHeartbeatDetails) };
  return { kind: 'too-long' };
}

function hostIn(details: unknown): string | undefined {
  if (typeof details !== 'object' || details === null || !('host' in details)) return undefined;
  return typeof details.host === 'string' && details.host !== '' ? details.host : undefined;
}
