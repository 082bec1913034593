/** Labels of states, phases and waiting reasons. Pure. */
import type { JobStatus, PipelineState, PipelineStatus } from '../../plan/model/protocol.ts';
import type { Cell, Paint } from './table.ts';
import { durationText } from '../../utils/duration.ts';

const STATE_PAINT: Record<PipelineState, Paint> = {
  created: 'dim',
  running: 'blue',
  waiting_for_resource: 'yellow',
  manual: 'yellow',
  scheduled: 'yellow',
  success: 'green',
  failed: 'red',
  canceled: 'magenta',
  skipped: 'dim',
  config_error: 'red',
};
const STATE_TEXT: Partial<Record<PipelineState, string>> = {
  waiting_for_resource: 'waits for a lock',
  manual: 'waits for a person',
  canceled: 'cancelled',
  config_error: 'the file has errors',
};
export const stateCell = (state: PipelineState, cause?: PipelineStatus['cause']): Cell => ({
  text:
    (state === 'failed' || state === 'config_error') && cause === 'source'
      ? 'the source could not be read'
      : (STATE_TEXT[state] ?? state),
  paint: STATE_PAINT[state],
});

/** The same for one pipeline, before it has jobs. */
export const pipelineCell = ({
  state,
  waitingFor,
  cause,
}: Pick<PipelineStatus, 'state' | 'waitingFor' | 'cause'>): Cell =>
  state === 'created' && waitingFor.includes('forge')
    ? { text: 'waits for the forge', paint: 'yellow' }
    : stateCell(state, cause);

const OUTCOME_PAINT: Record<NonNullable<JobStatus['outcome']>, Paint> = {
  succeeded: 'green',
  failed: 'red',
  errored: 'red',
  cancelled: 'magenta',
  skipped: 'dim',
  expired: 'yellow',
};

/** What the job is doing, or how it ended. */
export function jobCell(job: JobStatus): Cell {
  if (job.outcome) {
    const warns = job.allowedToFail && (job.outcome === 'failed' || job.outcome === 'errored');
    return warns
      ? { text: `${job.outcome}, allowed`, paint: 'yellow' }
      : { text: job.outcome, paint: OUTCOME_PAINT[job.outcome] };
  }
  switch (job.phase) {
    case 'manual':
      return { text: 'playable', paint: 'yellow' };
    case 'gate':
      return { text: 'gate', paint: 'yellow' };
    case 'running':
      return { text: 'running', paint: 'blue' };
    case 'waiting_for_resource':
      return { text: 'waits for a lock', paint: 'yellow' };
    case 'dispatched':
      return { text: job.waitingFor ? 'waiting' : 'starting', paint: 'blue' };
    default:
      return { text: job.phase, paint: 'dim' };
  }
}

/** Duration so far or in total; empty for a job that has not started. */
export function jobTime(job: JobStatus, now: number): string {
  const { startedAt, endedAt } = job.result ?? {};
  if (startedAt !== undefined && endedAt !== undefined) return durationText(endedAt - startedAt);
  return job.phase === 'running' || job.phase === 'stopping' ? durationText(now - job.since) : '';
}

/** Exit code for a pipeline: 0 success, 1 failed, cancelled or expired, 2 invalid file. */
export function verdictOf(status: Pick<PipelineStatus, 'state'>): number {
  if (status.state === 'config_error') return 2;
  return status.state === 'success' || status.state === 'skipped' ? 0 : 1;
}

/** True if nothing more happens without a request. */
export const isOver = (status: Pick<PipelineStatus, 'state' | 'endedAt'>): boolean =>
  status.endedAt !== undefined;
