/**
 * One attempt of a job in a container: dispatched to a queue and followed through every loss of its worker,
 * until it has a result or its host is given up. It does not retry (`job.ts` does), and it never rejects.
 *
 * ATTEMPT-1 Each dispatch of an attempt has a number of its own (`epoch`); a lower one can end nothing.
 * ATTEMPT-2 Once a host is known, only that host is asked: `resumeJob` attaches and never starts. The attempt
 *           is free again when the host reports that nothing was ever started there.
 * ATTEMPT-3 A cancelled attempt whose worker may not have cleaned up is stopped on its host before this
 *           function returns, and so before any lock is released.
 * ATTEMPT-4 No heartbeat, no container. A worker that took the job and sent no heartbeat is frozen or gone
 *           (Temporal gives tasks to its open polls for a while): that dispatch keeps its names, and the next
 *           attempt begins, at no cost to `retry:`. After `MAX_REPEATS` of them the job is `errored` with
 *           `started: false`.
 * ATTEMPT-5 The log of an attempt that is given up is closed by a higher dispatch number first, so that late
 *           writes of its host are refused. What still runs there is removed when the host is back.
 */
import { CancellationScope, sleep } from '@temporalio/workflow';
import type { JobResult } from '../../src/plan/model/outcome.ts';
import type { PlanJob } from '../../src/plan/model/plan.ts';
import { hostQueue } from '../../src/plan/model/queues.ts';
import { fencing, hostActivities, jobActivities } from '../activities.ts';
import { classify, type ActivityFailureKind } from '../failures.ts';
import { hasVersion } from '../versions.ts';
import { runInput } from './inputs.ts';
import { refOf, setLivePhase, type JobRun, type Run } from './state.ts';

const INITIAL_BACKOFF_MS = 1_000;
/** A job that only the wrong workers take would otherwise fill the history with dispatches within its day. */
const MAX_BACKOFF_MS = 5 * 60_000;
const MAX_REPEATS = 10;
/** A host that comes and goes without end is given up at the job's timeout and this. */
const RESUME_SLACK_MS = 60 * 60_000;

const STARTERS: Record<
  Exclude<PlanJob['kind'], 'deploy' | 'trigger'>,
  'runJob' | 'buildImage' | 'apitest' | 'pushImage'
> = {
  script: 'runJob',
  build: 'buildImage',
  apitest: 'apitest',
  push: 'pushImage',
};

export async function containerAttempt(run: Run, job: JobRun): Promise<JobResult> {
  const beganAt = Date.now();
  job.status.attempt += 1;
  job.status.epoch = 0;
  job.attempt = {};
  let backoff = INITIAL_BACKOFF_MS;
  for (let lostDispatches = 0; ; ) {
    job.status.epoch += 1;
    const resumed = job.attempt.host !== undefined;
    const end = await dispatchOnce(run, job, beganAt);
    if (!('failure' in end)) {
      scheduleCleanup(run, job, end.host);
      return end;
    }
    const { failure } = end;
    const result = await afterFailure(run, job, { failure, beganAt, resumed, lostDispatches });
    if (result) return result;
    const isLost = failure.kind === 'heartbeat-lost' || failure.kind === 'fenced';
    if (isLost && hasContainer(job.spec) && !job.attempt.host) {
      lostDispatches += 1;
      job.status.attempt += 1;
      job.status.epoch = 0;
    }
    if (failure.kind === 'detached') continue;
    try {
      await sleep(backoff, { summary: `send ${job.spec.key} again` });
    } catch {
      // Cancelled between two dispatches: what may still run is stopped (ATTEMPT-3).
      return stopped(run, job);
    }
    backoff = Math.min(backoff * 2, MAX_BACKOFF_MS);
  }
}

/** One activity, to its end. */
async function dispatchOnce(
  run: Run,
  job: JobRun,
  beganAt: number,
): Promise<JobResult | { failure: ActivityFailureKind }> {
  const { spec } = job;
  const { host } = job.attempt;
  const queue = host ? hostQueue(host) : spec.queue;
  const start = (): Promise<JobResult> => {
    const waitMs = host ? run.limits.hostGraceMs : run.limits.queueTimeoutMs - (Date.now() - beganAt);
    const { limits } = run;
    const activities = jobActivities({ ref: refOf(run, job), job: spec, queue, limits, waitMs, host });
    return activities[host ? 'resumeJob' : starterOf(spec)](runInput(run, job, beganAt));
  };
  try {
    return await withPermit(run, job, queue, start);
  } catch (error) {
    return { failure: classify(error) };
  }
}

/**
 * Counts as one of the pipeline's pending activities, and shows the queue as the reason when no worker takes
 * it.
 */
export async function withPermit<T>(
  run: Run,
  job: JobRun,
  queue: string,
  start: () => Promise<T>,
): Promise<T> {
  setLivePhase(run, job, { phase: 'dispatched' }, 'slots');
  const release = await run.permits.acquire();
  try {
    setLivePhase(run, job, { phase: 'dispatched' });
    run.queueWatch.add(job, () => {
      if (job.state.phase === 'dispatched') setLivePhase(run, job, { phase: 'dispatched' }, `queue:${queue}`);
    });
    return await start();
  } finally {
    run.queueWatch.remove(job);
    release();
  }
}

interface DispatchEnd {
  failure: ActivityFailureKind;
  /** When the attempt began, epoch ms. */
  beganAt: number;
  /** It was a `resumeJob`. */
  resumed: boolean;
  /** Dispatches before it that never sent a heartbeat. */
  lostDispatches: number;
}

/** The end of the attempt; undefined: it continues with the next dispatch. */
async function afterFailure(run: Run, job: JobRun, end: DispatchEnd): Promise<JobResult | undefined> {
  const { failure, beganAt } = end;
  // A resume that no worker had taken is cancelled without a worker that stops the container.
  if (failure.kind === 'cancelled') {
    if (end.resumed) return stopped(run, job);
    scheduleCleanup(run, job, job.attempt.host);
    return cancelledResult(job);
  }
  if (hasContainer(job.spec) && (failure.kind === 'detached' || failure.kind === 'heartbeat-lost'))
    job.attempt.host = failure.host ?? job.attempt.host;
  if (CancellationScope.current().consideredCancelled) return stopped(run, job);
  const { host } = job.attempt;
  switch (failure.kind) {
    case 'detached':
    case 'heartbeat-lost':
      if (!host) return isRepeatable(job) || isLostDispatch(job, end) ? undefined : neverStarted(job);
      return Date.now() - beganAt > run.limits.queueTimeoutMs + job.spec.timeoutMs + RESUME_SLACK_MS
        ? afterHostLost(run, job, hostLost(job, host))
        : undefined;
    case 'requeued':
      job.attempt.host = undefined;
      return Date.now() - beganAt >= run.limits.queueTimeoutMs ? noWorker(job, failure.reason) : undefined;
    case 'unclaimed':
      return host ? afterHostLost(run, job, hostLost(job, host)) : noWorker(job);
    case 'too-long': {
      await stopped(run, job);
      const message = 'The job continued past its timeout and was stopped.';
      return { ...endedNow(job), outcome: 'failed', kind: 'timeout', message };
    }
    case 'fenced':
    case 'defect':
      if (!host && end.lostDispatches < MAX_REPEATS && isReplacedWhenFenced(job, failure)) return undefined;
      return { ...endedNow(job), outcome: 'errored', kind: 'internal', message: failure.message };
  }
}

/** ATTEMPT-3. The host has `hostGraceMs` to reply; after that its janitor does it when it is back. */
async function stopped(run: Run, job: JobRun): Promise<JobResult> {
  const result = cancelledResult(job);
  const { host } = job.attempt;
  if (!host) return result;
  const ref = refOf(run, job);
  const named = hasVersion('stopsNameTheirAttempt') ? ref : undefined;
  try {
    await CancellationScope.nonCancellable(() =>
      hostActivities(host, run.limits.hostGraceMs, named).stopJob({
        ref,
        graceMs: run.limits.cancelGraceMs,
      }),
    );
    scheduleCleanup(run, job, host);
    return result;
  } catch {
    // The cancel, which came first, is what the job ended by; the message adds that the host is away.
    const message = `Cancelled. Host ${host} does not respond; its worker removes the container when it is back.`;
    return afterHostLost(run, job, { ...result, message });
  }
}

/** ATTEMPT-5. Fenced by a dispatch number that no activity has. */
async function afterHostLost(run: Run, job: JobRun, result: JobResult): Promise<JobResult> {
  if (!hasVersion('lostHostClosesLog')) return result;
  job.status.epoch += 1;
  const ref = refOf(run, job);
  if (job.attempt.host) run.cleanup.whenBack(job.attempt.host, ref);
  try {
    const text = result.message ?? 'The host was given up.';
    const log = await CancellationScope.nonCancellable(() => fencing.closeLog({ ref, text }));
    return { ...result, log };
  } catch {
    // The log store was away for minutes; the job still ends by the loss of its host.
    return { ...result, warnings: [...(result.warnings ?? []), 'The log could not be closed.'] };
  }
}

/** The result enters the history with this step, so the container is no longer needed. */
function scheduleCleanup(run: Run, job: JobRun, host: string | undefined): void {
  if (host && hasContainer(job.spec)) run.cleanup.add(host, refOf(run, job));
}

/**
 * A build or a push has nothing to attach to and is idempotent by digest: the next worker repeats it in the
 * same attempt.
 */
export const hasContainer = (job: PlanJob): boolean => job.kind === 'script' || job.kind === 'apitest';
const isRepeatable = (job: JobRun): boolean => !hasContainer(job.spec) && job.status.epoch < MAX_REPEATS;

/**
 * A later dispatch may have a number above the one that fenced this one. A job in a container gets its next
 * attempt instead, with a log of its own: the log of this one is written by another container.
 */
export const isReplacedWhenFenced = (job: JobRun, failure: ActivityFailureKind): boolean =>
  failure.kind === 'fenced' && job.status.epoch < MAX_REPEATS && hasVersion('fencedDispatchReplaced');

/** ATTEMPT-4. */
const isLostDispatch = (
  job: JobRun,
  { failure, lostDispatches }: Pick<DispatchEnd, 'failure' | 'lostDispatches'>,
): boolean =>
  hasContainer(job.spec) &&
  failure.kind === 'heartbeat-lost' &&
  lostDispatches < MAX_REPEATS &&
  hasVersion('lostDispatchReplaced');

const starterOf = (job: PlanJob): (typeof STARTERS)[keyof typeof STARTERS] =>
  job.kind === 'deploy' || job.kind === 'trigger' ? 'runJob' : STARTERS[job.kind];

const endedNow = ({ attempt }: JobRun): Pick<JobResult, 'started' | 'host' | 'startedAt' | 'endedAt'> => ({
  started: attempt.host !== undefined,
  host: attempt.host,
  startedAt: attempt.startedAt,
  endedAt: Date.now(),
});
export const cancelledResult = (job: JobRun): JobResult => ({ ...endedNow(job), outcome: 'cancelled' });
const neverStarted = (job: JobRun): JobResult => ({
  ...endedNow(job),
  outcome: 'errored',
  kind: 'internal',
  message: 'The worker was lost before it started the container.',
});
const hostLost = (job: JobRun, host: string): JobResult => ({
  ...endedNow(job),
  outcome: 'errored',
  kind: 'host_lost',
  message: `Host ${host} was away for longer than its grace period.`,
});
const noWorker = (job: JobRun, reason?: string): JobResult => ({
  ...endedNow(job),
  outcome: 'errored',
  kind: 'no_worker',
  message: reason ?? `No worker took the job from queue ${job.spec.queue} in time.`,
});
