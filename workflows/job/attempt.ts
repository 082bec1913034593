/**
 * One attempt of a job in a container: given to a queue, followed over every way to lose its worker, until it has a result
 * or its machine is given up. It retries nothing (`job.ts` does), and it never rejects.
 *
 * A1 Every activity of an attempt has an epoch of its own; a lower one can end nothing.
 * A2 Once a machine has been named, nothing but that machine is asked: `resumeJob` attaches, it never starts. It is free
 *    again when that machine says that nothing was ever started there.
 * A3 A cancelled attempt whose worker cannot have cleaned up is stopped on its machine before this function ends, so
 *    before any lock is given back.
 * A4 No heartbeat, no container. A worker that took the job and never spoke stands still or is gone (Temporal goes on giving
 *    tasks to its open polls for a while): its attempt is left to it, under its own names, and the next one begins, at no cost
 *    to `retry:`. After `MAX_REPEATS` of them it is `errored` with `started: false`.
 * A5 An attempt that is given up has its log closed in a higher epoch first: what its machine writes late is refused. What
 *    runs there goes when the machine is back.
 */
import { CancellationScope, patched, sleep } from '@temporalio/workflow';
import type { JobResult } from '../../src/plan/model/outcome.ts';
import type { PlanJob } from '../../src/plan/model/plan.ts';
import { hostQueue } from '../../src/plan/model/queues.ts';
import { fencing, hostActivities, jobActivities } from '../activities.ts';
import { classify, type ActivityFailureKind } from '../failures.ts';
import { runInput } from './inputs.ts';
import { setPhase, refOf, type JobRun, type Run } from './state.ts';

const BACKOFF_MS = 1_000;
/** A job that only the wrong workers take would otherwise fill the history with its tries within its day. */
const MAX_BACKOFF_MS = 5 * 60_000;
const MAX_REPEATS = 10;
const LOG_CLOSED = 'log-of-a-lost-machine-closed';
/** Machines that come and go for ever are given up at the job's timeout and this. */
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
  const at = Date.now();
  job.status.attempt += 1;
  job.status.epoch = 0;
  job.host = undefined;
  job.startedAt = undefined;
  let backoff = BACKOFF_MS;
  for (let lostDispatches = 0; ; ) {
    job.status.epoch += 1;
    const resumed = job.host !== undefined;
    const end = await dispatchOnce(run, job, at);
    if (!('failure' in end)) {
      scheduleCleanup(run, job, end.host);
      return end;
    }
    const over = await afterFailure(run, job, { failure: end.failure, at, resumed, lostDispatches });
    if (over) return over;
    const { kind } = end.failure;
    if ((kind === 'heartbeat-lost' || kind === 'fenced') && hasContainer(job.spec) && !job.host) {
      lostDispatches += 1;
      job.status.attempt += 1;
      job.status.epoch = 0;
    }
    if (kind === 'detached') continue;
    try {
      await sleep(backoff);
    } catch {
      // Cancelled between two tries: what may still run is stopped, as in A3.
      return stopped(run, job);
    }
    backoff = Math.min(backoff * 2, MAX_BACKOFF_MS);
  }
}

/** One activity, to its end. */
async function dispatchOnce(
  run: Run,
  job: JobRun,
  at: number,
): Promise<JobResult | { failure: ActivityFailureKind }> {
  const { spec } = job;
  const queue = job.host ? hostQueue(job.host) : spec.queue;
  try {
    const start = (): Promise<JobResult> => {
      const waitMs = job.host ? run.limits.hostGraceMs : run.limits.queueTimeoutMs - (Date.now() - at);
      const activities = jobActivities({
        ref: refOf(run, job),
        job: spec,
        queue,
        limits: run.limits,
        waitMs,
      });
      return activities[job.host ? 'resumeJob' : starterOf(spec)](runInput(run, job, at));
    };
    return await withPermit(run, job, { queue, start });
  } catch (error) {
    return { failure: classify(error) };
  }
}

/** Counts against the pipeline's pending activities, and shows itself as waiting when no worker takes it. */
export async function withPermit<T>(
  run: Run,
  job: JobRun,
  of: { queue: string; start: () => Promise<T> },
): Promise<T> {
  setPhase(run, job, { phase: 'dispatched', waitingFor: 'slots' });
  const release = await run.permits.acquire();
  try {
    setPhase(run, job, { phase: 'dispatched' });
    run.queueWatch.given(run, job, of.queue);
    return await of.start();
  } finally {
    run.queueWatch.gone(job);
    release();
  }
}

/** Ends the attempt, or undefined: it goes on with the next epoch. */
async function afterFailure(
  run: Run,
  job: JobRun,
  now: { failure: ActivityFailureKind; at: number; resumed: boolean; lostDispatches: number },
): Promise<JobResult | undefined> {
  const { failure, at } = now;
  // A resume that no worker had taken is cancelled without anybody stopping the container.
  if (failure.kind === 'cancelled') {
    if (now.resumed) return stopped(run, job);
    scheduleCleanup(run, job, job.host);
    return cancelledResult(job);
  }
  if (hasContainer(job.spec) && (failure.kind === 'detached' || failure.kind === 'heartbeat-lost'))
    job.host = failure.host ?? job.host;
  if (CancellationScope.current().consideredCancelled) return stopped(run, job);
  switch (failure.kind) {
    case 'detached':
    case 'heartbeat-lost':
      if (!job.host) return isRepeatable(job) || isLostDispatch(job, now) ? undefined : neverStarted(job);
      return Date.now() - at > run.limits.queueTimeoutMs + job.spec.timeoutMs + RESUME_SLACK_MS
        ? afterHostLost(run, job, hostLost(job, job.host))
        : undefined;
    case 'requeued':
      job.host = undefined;
      return Date.now() - at >= run.limits.queueTimeoutMs ? noWorker(job, failure.reason) : undefined;
    case 'unclaimed':
      return job.host ? afterHostLost(run, job, hostLost(job, job.host)) : noWorker(job);
    case 'too-long':
      await stopped(run, job);
      return {
        ...ended(job),
        outcome: 'failed',
        kind: 'timeout',
        message: 'The job did not end at its timeout.',
      };
    case 'fenced':
    case 'defect':
      if (!job.host && now.lostDispatches < MAX_REPEATS && isRaised(job, failure)) return undefined;
      return { ...ended(job), outcome: 'errored', kind: 'internal', message: failure.message };
  }
}

/** A3. The machine has `hostGraceMs` to answer; after that its janitor does it when it is back. */
async function stopped(run: Run, job: JobRun): Promise<JobResult> {
  const result = cancelledResult(job);
  const host = job.host;
  if (!host) return result;
  try {
    await CancellationScope.nonCancellable(() =>
      hostActivities(host, run.limits.hostGraceMs).stopJob({
        ref: refOf(run, job),
        graceMs: run.limits.cancelGraceMs,
      }),
    );
    scheduleCleanup(run, job, host);
    return result;
  } catch {
    // The first reason, the cancel, is what the job ended by; that the machine is away is said beside it.
    const message = `Cancelled; machine ${host} did not answer, its worker cleans up when it is back.`;
    return afterHostLost(run, job, { ...result, message });
  }
}

/** A5. Fenced by an epoch that no try has. */
async function afterHostLost(run: Run, job: JobRun, result: JobResult): Promise<JobResult> {
  if (!patched(LOG_CLOSED)) return result;
  job.status.epoch += 1;
  const ref = refOf(run, job);
  if (job.host) run.cleanup.whenBack(job.host, ref);
  try {
    const text = result.message ?? 'The machine was given up.';
    const log = await CancellationScope.nonCancellable(() => fencing.closeLog({ ref, text }));
    return { ...result, log };
  } catch {
    // The log store was away for minutes; that the machine is lost is still what the job ended by.
    return { ...result, warnings: [...(result.warnings ?? []), 'The log could not be closed.'] };
  }
}

/** The result goes into history with this step: the container is needed no more. A host that does not answer is not asked. */
function scheduleCleanup(run: Run, job: JobRun, host: string | undefined): void {
  if (host && hasContainer(job.spec)) run.cleanup.add(host, refOf(run, job));
}

/** A build or a push has nothing to attach to and is idempotent by digest: the next worker does it anew, same attempt. */
export const hasContainer = (job: PlanJob): boolean => job.kind === 'script' || job.kind === 'apitest';
const isRepeatable = (job: JobRun): boolean => !hasContainer(job.spec) && job.status.epoch < MAX_REPEATS;

/**
 * The next epoch may be above the one that fenced it. A job in a container has the next attempt instead, with a log of its own:
 * what stands in this one is another container's.
 */
export const isRaised = (job: JobRun, failure: ActivityFailureKind): boolean =>
  failure.kind === 'fenced' && job.status.epoch < MAX_REPEATS && patched('epoch-raised');

/** Asked last: it leaves a mark in the history. */
const isLostDispatch = (
  job: JobRun,
  { failure, lostDispatches }: { failure: ActivityFailureKind; lostDispatches: number },
): boolean =>
  hasContainer(job.spec) &&
  failure.kind === 'heartbeat-lost' &&
  lostDispatches < MAX_REPEATS &&
  patched('unheard');

const starterOf = (job: PlanJob): (typeof STARTERS)[keyof typeof STARTERS] =>
  job.kind === 'deploy' || job.kind === 'trigger' ? 'runJob' : STARTERS[job.kind];

const ended = (job: JobRun): Pick<JobResult, 'started' | 'host' | 'startedAt' | 'endedAt'> => ({
  started: job.host !== undefined,
  host: job.host,
  startedAt: job.startedAt,
  endedAt: Date.now(),
});
export const cancelledResult = (job: JobRun): JobResult => ({ ...ended(job), outcome: 'cancelled' });
const neverStarted = (job: JobRun): JobResult => ({
  ...ended(job),
  outcome: 'errored',
  kind: 'internal',
  message: 'The worker fell silent before it started the container.',
});
const hostLost = (job: JobRun, host: string): JobResult => ({
  ...ended(job),
  outcome: 'errored',
  kind: 'host_lost',
  message: `Machine ${host} stayed away past its grace.`,
});
const noWorker = (job: JobRun, reason?: string): JobResult => ({
  ...ended(job),
  outcome: 'errored',
  kind: 'no_worker',
  message: reason ?? `No worker took the job from queue ${job.spec.queue} in time.`,
});
