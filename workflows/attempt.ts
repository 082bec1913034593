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
import type { JobResult } from '../src/plan/outcome.ts';
import type { PlanJob } from '../src/plan/plan.ts';
import { hostQueue } from '../src/plan/queues.ts';
import { fencing, hostActivities, jobActivities } from './activities.ts';
import { troubleOf, type Trouble } from './failures.ts';
import { runInput } from './inputs.ts';
import { enter, refOf, type JobRun, type Run } from './state.ts';

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

export async function containerAttempt(run: Run, one: JobRun): Promise<JobResult> {
  const at = Date.now();
  one.status.attempt += 1;
  one.status.epoch = 0;
  one.host = undefined;
  one.startedAt = undefined;
  let backoff = BACKOFF_MS;
  for (let unheard = 0; ; ) {
    one.status.epoch += 1;
    const resumed = one.host !== undefined;
    const end = await tryOnce(run, one, at);
    if (!('trouble' in end)) {
      released(run, one, end.host);
      return end;
    }
    const over = await afterTrouble(run, one, { trouble: end.trouble, at, resumed, unheard });
    if (over) return over;
    const { kind } = end.trouble;
    if ((kind === 'silent' || kind === 'fenced') && hasContainer(one.job) && !one.host) {
      unheard += 1;
      one.status.attempt += 1;
      one.status.epoch = 0;
    }
    if (kind === 'detached') continue;
    try {
      await sleep(backoff);
    } catch {
      // Cancelled between two tries: what may still run is stopped, as in A3.
      return stopped(run, one);
    }
    backoff = Math.min(backoff * 2, MAX_BACKOFF_MS);
  }
}

/** One activity, to its end. */
async function tryOnce(run: Run, one: JobRun, at: number): Promise<JobResult | { trouble: Trouble }> {
  const { job } = one;
  const queue = one.host ? hostQueue(one.host) : job.queue;
  try {
    const start = (): Promise<JobResult> => {
      const waitMs = one.host ? run.limits.hostGraceMs : run.limits.queueTimeoutMs - (Date.now() - at);
      const activities = jobActivities({ ref: refOf(run, one), job, queue, limits: run.limits, waitMs });
      return activities[one.host ? 'resumeJob' : starterOf(job)](runInput(run, one, at));
    };
    return await withPermit(run, one, { queue, start });
  } catch (error) {
    return { trouble: troubleOf(error) };
  }
}

/** Counts against the pipeline's pending activities, and shows itself as waiting when no worker takes it. */
export async function withPermit<T>(
  run: Run,
  one: JobRun,
  of: { queue: string; start: () => Promise<T> },
): Promise<T> {
  enter(run, one, { phase: 'dispatched', waitingFor: 'slots' });
  const release = await run.permits.acquire();
  try {
    enter(run, one, { phase: 'dispatched' });
    run.watch.given(run, one, of.queue);
    return await of.start();
  } finally {
    run.watch.gone(one);
    release();
  }
}

/** Ends the attempt, or undefined: it goes on with the next epoch. */
async function afterTrouble(
  run: Run,
  one: JobRun,
  now: { trouble: Trouble; at: number; resumed: boolean; unheard: number },
): Promise<JobResult | undefined> {
  const { trouble, at } = now;
  // A resume that no worker had taken is cancelled without anybody stopping the container.
  if (trouble.kind === 'cancelled') {
    if (now.resumed) return stopped(run, one);
    released(run, one, one.host);
    return cancelledResult(one);
  }
  if (hasContainer(one.job) && (trouble.kind === 'detached' || trouble.kind === 'silent'))
    one.host = trouble.host ?? one.host;
  if (CancellationScope.current().consideredCancelled) return stopped(run, one);
  switch (trouble.kind) {
    case 'detached':
    case 'silent':
      if (!one.host) return isRepeatable(one) || isUnheard(one, now) ? undefined : neverStarted(one);
      return Date.now() - at > run.limits.queueTimeoutMs + one.job.timeoutMs + RESUME_SLACK_MS
        ? givenUp(run, one, hostLost(one, one.host))
        : undefined;
    case 'handed-back':
      one.host = undefined;
      return Date.now() - at >= run.limits.queueTimeoutMs ? noWorker(one, trouble.reason) : undefined;
    case 'not-taken':
      return one.host ? givenUp(run, one, hostLost(one, one.host)) : noWorker(one);
    case 'too-long':
      await stopped(run, one);
      return {
        ...ended(one),
        outcome: 'failed',
        kind: 'timeout',
        message: 'The job did not end at its timeout.',
      };
    case 'fenced':
    case 'defect':
      if (!one.host && now.unheard < MAX_REPEATS && isRaised(one, trouble)) return undefined;
      return { ...ended(one), outcome: 'errored', kind: 'internal', message: trouble.message };
  }
}

/** A3. The machine has `hostGraceMs` to answer; after that its janitor does it when it is back. */
async function stopped(run: Run, one: JobRun): Promise<JobResult> {
  const result = cancelledResult(one);
  const host = one.host;
  if (!host) return result;
  try {
    await CancellationScope.nonCancellable(() =>
      hostActivities(host, run.limits.hostGraceMs).stopJob({
        ref: refOf(run, one),
        graceMs: run.limits.cancelGraceMs,
      }),
    );
    released(run, one, host);
    return result;
  } catch {
    // The first reason, the cancel, is what the job ended by; that the machine is away is said beside it.
    const message = `Cancelled; machine ${host} did not answer, its worker cleans up when it is back.`;
    return givenUp(run, one, { ...result, message });
  }
}

/** A5. Fenced by an epoch that no try has. */
async function givenUp(run: Run, one: JobRun, result: JobResult): Promise<JobResult> {
  if (!patched(LOG_CLOSED)) return result;
  one.status.epoch += 1;
  const ref = refOf(run, one);
  if (one.host) run.releases.whenBack(one.host, ref);
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
function released(run: Run, one: JobRun, host: string | undefined): void {
  if (host && hasContainer(one.job)) run.releases.add(host, refOf(run, one));
}

/** A build or a push has nothing to attach to and is idempotent by digest: the next worker does it anew, same attempt. */
export const hasContainer = (job: PlanJob): boolean => job.kind === 'script' || job.kind === 'apitest';
const isRepeatable = (one: JobRun): boolean => !hasContainer(one.job) && one.status.epoch < MAX_REPEATS;

/**
 * The next epoch may be above the one that fenced it. A job in a container has the next attempt instead, with a log of its own:
 * what stands in this one is another container's.
 */
export const isRaised = (one: JobRun, trouble: Trouble): boolean =>
  trouble.kind === 'fenced' && one.status.epoch < MAX_REPEATS && patched('epoch-raised');

/** Asked last: it leaves a mark in the history. */
const isUnheard = (one: JobRun, { trouble, unheard }: { trouble: Trouble; unheard: number }): boolean =>
  hasContainer(one.job) && trouble.kind === 'silent' && unheard < MAX_REPEATS && patched('unheard');

const starterOf = (job: PlanJob): (typeof STARTERS)[keyof typeof STARTERS] =>
  job.kind === 'deploy' || job.kind === 'trigger' ? 'runJob' : STARTERS[job.kind];

const ended = (one: JobRun): Pick<JobResult, 'started' | 'host' | 'startedAt' | 'endedAt'> => ({
  started: one.host !== undefined,
  host: one.host,
  startedAt: one.startedAt,
  endedAt: Date.now(),
});
export const cancelledResult = (one: JobRun): JobResult => ({ ...ended(one), outcome: 'cancelled' });
const neverStarted = (one: JobRun): JobResult => ({
  ...ended(one),
  outcome: 'errored',
  kind: 'internal',
  message: 'The worker fell silent before it started the container.',
});
const hostLost = (one: JobRun, host: string): JobResult => ({
  ...ended(one),
  outcome: 'errored',
  kind: 'host_lost',
  message: `Machine ${host} stayed away past its grace.`,
});
const noWorker = (one: JobRun, reason?: string): JobResult => ({
  ...ended(one),
  outcome: 'errored',
  kind: 'no_worker',
  message: reason ?? `No worker took the job from queue ${one.job.queue} in time.`,
});
