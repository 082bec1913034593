/**
 * What the failure of an activity means for its job: the one place that everything that resumes or retries
 * relies on.
 */
import { ActivityFailure, ApplicationFailure, CancelledFailure, TimeoutFailure } from '@temporalio/common';
import { FAILURE_TYPES } from '../src/plan/model/outcome.ts';
import { messageOf } from '../src/utils/message.ts';

export type ActivityFailureKind =
  /** It was cancelled and has cleaned up, or had not begun. */
  | { kind: 'cancelled' }
  /** The worker shut down, the container continues. */
  | { kind: 'detached'; host: string }
  /** The worker may not run it and started nothing. */
  | { kind: 'requeued'; reason: string }
  /** No worker took it from its queue in time. */
  | { kind: 'unclaimed' }
  /** The worker was lost. With a host, a container may run there; without one, none was ever started. */
  | { kind: 'heartbeat-lost'; host?: string }
  /** A higher dispatch, unknown to this run, writes its log: a run that was reset counts from 1 again. */
  | { kind: 'fenced'; message: string }
  /** It exceeded davit's own limit, far beyond the job's timeout. */
  | { kind: 'too-long' }
  | { kind: 'defect'; message: string };

/** The SDK's type of the failure of an activity whose worker shuts down before the activity ends. */
const WORKER_SHUTDOWN = 'WorkerShutdown';
/** The failure of a closed activity is dropped; for an open one it cannot come from a zombie. */
const FENCED: readonly string[] = ['log/fenced', FAILURE_TYPES.superseded];

/** What failed inside of an activity or a child; Temporal's wrapper names only the activity. */
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
