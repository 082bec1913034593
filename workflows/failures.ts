/** What an activity's end by failure means for the job. One place, because everything that resumes or retries reads it. */
import { ActivityFailure, ApplicationFailure, CancelledFailure, TimeoutFailure } from '@temporalio/common';
import { THROWN } from '../src/plan/outcome.ts';
import { messageOf } from '../src/utils/message.ts';

export type Trouble =
  /** It stopped because it was asked to; it has cleaned up, or had not begun. */
  | { kind: 'cancelled' }
  /** The worker went away, the container runs on. */
  | { kind: 'detached'; host: string }
  /** The worker may not run it; nothing was started. */
  | { kind: 'handed-back'; reason: string }
  /** Nobody took it from its queue in time. */
  | { kind: 'not-taken' }
  /** The worker fell silent. A host means that a container may run there; none, that none was ever started. */
  | { kind: 'silent'; host?: string }
  /** A higher epoch writes its log, of which this run knows nothing: a run that was reset counts from the beginning again. */
  | { kind: 'fenced'; message: string }
  /** Past davit's own guard, far beyond the job's timeout. */
  | { kind: 'too-long' }
  | { kind: 'defect'; message: string };

/** SDK's type of the failure of an activity whose worker shuts down before the activity ends. */
const WORKER_SHUTDOWN = 'WorkerShutdown';
/** Of an activity that is closed nobody hears it; of one that is open it is no zombie's. */
const FENCED: readonly string[] = ['log/fenced', THROWN.replaced];

/** What failed inside of an activity or a child; Temporal's own wrapper says only which one it was. */
export const causeMessage = (error: unknown): string =>
  messageOf(error instanceof Error && error.cause instanceof Error ? error.cause : error);

export function troubleOf(error: unknown): Trouble {
  if (error instanceof CancelledFailure) return { kind: 'cancelled' };
  const cause = error instanceof ActivityFailure ? error.cause : error;
  if (cause instanceof CancelledFailure) return { kind: 'cancelled' };
  if (cause instanceof TimeoutFailure) return timeout(cause);
  if (cause instanceof ApplicationFailure) {
    const host = hostIn(cause.details?.[0]);
    if (cause.type === THROWN.detached && host) return { kind: 'detached', host };
    if (cause.type === THROWN.handedBack) return { kind: 'handed-back', reason: cause.message };
    if (FENCED.includes(cause.type ?? '')) return { kind: 'fenced', message: cause.message };
    if (cause.type === WORKER_SHUTDOWN) return { kind: 'silent' };
  }
  return { kind: 'defect', message: messageOf(cause) };
}

function timeout(cause: TimeoutFailure): Trouble {
  if (cause.timeoutType === 'SCHEDULE_TO_START') return { kind: 'not-taken' };
  if (cause.timeoutType === 'HEARTBEAT') return { kind: 'silent', host: hostIn(cause.lastHeartbeatDetails) };
  return { kind: 'too-long' };
}

function hostIn(details: unknown): string | undefined {
  if (typeof details !== 'object' || details === null || !('host' in details)) return undefined;
  return typeof details.host === 'string' && details.host !== '' ? details.host : undefined;
}
