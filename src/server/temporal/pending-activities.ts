/** Adds to a status what only Temporal knows: whether a worker has started a dispatched job. Pure. */
import { activityId } from '../../plan/model/ids.ts';
import type { JobStatus, PipelineStatus } from '../../plan/model/protocol.ts';
import { workerNote, type KnownFleet } from '../../plan/policy/worker-wait.ts';
import type { PendingJob } from '../workflow-port.ts';

const QUEUE = 'queue:';
/** A worker usually starts a job sooner; only a longer time is shown as a wait. */
const MIN_WAIT_MS = 2_000;

/** A job whose activity has started is running; one whose activity waits shows its queue. */
export function withPending(
  status: PipelineStatus,
  { pending, now }: { pending: readonly PendingJob[]; now: number },
): PipelineStatus {
  const started = new Map(pending.map((one) => [one.activityId, one.started]));
  const jobs = status.jobs.map((job) => refine(job, started, now));
  const queues = jobs.flatMap((job) => (job.waitingFor?.startsWith(QUEUE) ? [job.waitingFor] : []));
  const others = status.waitingFor.filter((kind) => !kind.startsWith(QUEUE));
  return { ...status, jobs, waitingFor: [...new Set([...others, ...queues])].sort() };
}

/** Says of jobs that wait for a worker why none has taken them. */
export const withNotes = (status: PipelineStatus, known: KnownFleet): PipelineStatus => ({
  ...status,
  jobs: status.jobs.map((job) => noted(job, known)),
});

function noted(job: JobStatus, known: KnownFleet): JobStatus {
  const queue = job.waitingFor?.startsWith(QUEUE) ? job.waitingFor.slice(QUEUE.length) : undefined;
  if (queue === undefined || job.outcome) return job;
  const waitNote = workerNote({ queue, tags: job.tags ?? [] }, known);
  return waitNote === undefined ? job : { ...job, waitNote };
}

function refine(job: JobStatus, started: ReadonlyMap<string, boolean>, now: number): JobStatus {
  if (job.phase !== 'dispatched') return job;
  const taken = started.get(activityId({ job: job.key, attempt: job.attempt, epoch: job.epoch }));
  if (taken === undefined) return job;
  if (taken) return { ...job, phase: 'running', waitingFor: undefined };
  const waits = now - job.since > MIN_WAIT_MS ? `${QUEUE}${job.queue}` : undefined;
  return { ...job, waitingFor: job.waitingFor ?? waits };
}
