/**
 * Role: supervises a job from the running container to the result, including every way in which its activity
 * may end early.
 * Not its role: creating the container (`prepare.ts`), interpreting its end (`finish.ts`).
 *
 * Invariants:
 *  SUP-1 A started container is never abandoned: it is followed to its end, or stopped because the workflow
 *        asked, or left running with the failure `Detached`, which leads to `resumeJob`.
 *  SUP-2 A container that has not started is removed with its volume before the activity ends.
 *  SUP-3 The timeout counts from the container's start, by the clock of its engine, so it is the same for
 *        every dispatch, whatever the clocks of workers show.
 *  SUP-4 Only a cancel, or a closed workflow, stops a container; a lost connection never does.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { ContainerState } from '../../../src/adapters/ports.ts';
import { DavitError } from '../../../src/errors.ts';
import type { JobResult } from '../../../src/plan/model/outcome.ts';
import { removeObjects, stopContainer } from '../container/cleanup.ts';
import { forgetNetwork } from '../sidecars/sidecars.ts';
import { finish, finishWithout, STORE_LIMIT_MS } from '../finish/finish.ts';
import { followLog, hasStarted, runTimeOf } from '../container/follow.ts';
import type { Job, StartProgress } from '../context/job.ts';
import { startEarly } from '../../runtime/start-early.ts';
import { ActivityEnded } from '../../runtime/activity-lease.ts';
import { bad } from '../../runtime/log/log-lines.ts';
import { retryHintAfterGc } from '../../runtime/disk-space.ts';
import { cancelled, isAway, isAwayForNow, requeue, superseded, workerLost } from '../../runtime/failures.ts';

/** Time to send what was read before a worker stops; the dispatch that resumes reads the rest again. */
const FLUSH_ON_LEAVE_MS = 1_500;
/** Time after a container's end for the engine to return all of its log and the store to accept it. */
const DRAIN_MS = STORE_LIMIT_MS - 5 * 60_000;
const CANCEL_DRAIN_MS = 5_000;
const AWAY_PAUSE_MS = 2_000;
/** A job that has run for this long is shown as running. */
const ANNOUNCE_MS = 2_000;

/** A container under supervision, and the reading of its log. */
interface Followed {
  /** Resolves with the container's end. */
  ended: Promise<ContainerState>;
  /** Resolves when the log is read to its end. */
  log: Promise<void>;
  /** Stops supervision and reading. */
  stop(): void;
  /** Cleared when supervision is over. */
  timers: NodeJS.Timeout[];
}

function follow(job: Job): Followed {
  const { engine } = job.deps;
  const following = new AbortController();
  const { signal } = following;
  const { epoch } = job.input.ref;
  // Both are raced: after one has decided, the failure of the other is only a consequence.
  const ended = startEarly(engine.waitContainer(job.name, signal));
  const log = startEarly(followLog({ engine, container: job.name, log: job.log, epoch, ended, signal }));
  const timers = [setTimeout(() => announce(job), ANNOUNCE_MS)];
  return { ended, log, stop: () => following.abort(), timers };
}

/**
 * Follows a container that has run for `ranMs` to its end. Throws the failures of `activities/contract.ts`.
 */
export async function supervise(job: Job, ranMs: number): Promise<JobResult> {
  const followed = follow(job);
  try {
    return await afterEnd(job, await untilEnded(job, ranMs, followed), followed);
  } catch (error) {
    return await afterFailure(job, error, followed);
  } finally {
    followed.stop();
    for (const timer of followed.timers) clearTimeout(timer);
    job.log.abandon();
    job.storeLimit.abort(new Error('the activity is over'));
  }
}

interface End {
  state: ContainerState;
  timedOut: boolean;
}

/**
 * The container's end, or its stop at the timeout. Rejects if the activity has to end, or the log cannot be
 * read.
 */
async function untilEnded(job: Job, ranMs: number, { ended, log }: Followed): Promise<End> {
  const { engine } = job.deps;
  const clock = new AbortController();
  const left = Math.max(job.input.timeoutMs - ranMs, 1);
  try {
    const first = await Promise.race([
      ended,
      delay(left, 'late' as const, { signal: clock.signal }),
      aborted(job.lease.signal),
      failureOf(log),
    ]);
    if (first !== 'late') return { state: first, timedOut: false };
    const state = await stopContainer(engine, job.name, job.input.graceMs);
    if (!state) throw new DavitError('engine/container-missing', 'The container does not exist any more.');
    return { state, timedOut: true };
  } finally {
    clock.abort();
  }
}

/** Reads the rest of the log and makes the result. The stores have until `STORE_LIMIT_MS` for both. */
async function afterEnd(job: Job, { state, timedOut }: End, followed: Followed): Promise<JobResult> {
  const giveUp = (): void => job.storeLimit.abort(new Error('the stores did not respond'));
  followed.timers.push(setTimeout(giveUp, STORE_LIMIT_MS));
  if (!(await within(DRAIN_MS, followed.log))) {
    followed.stop();
    job.log.lost('The log could not be stored in time; the rest of it is missing.');
  }
  return await Promise.race([finish(job, state, timedOut), leftDuringFinish(job)]);
}

/** Why supervision ended without a result: the activity, another dispatch, the container, or the engine. */
async function afterFailure(job: Job, error: unknown, followed: Followed): Promise<JobResult> {
  if (error instanceof ActivityEnded) return leave(job, error, followed.log);
  if (error instanceof DavitError && error.code === 'log/fenced') throw superseded();
  if (error instanceof DavitError && error.code === 'engine/container-missing') return hostLost(job);
  followed.stop();
  if (isAwayForNow(error, job.input.ref)) return untilBack(job);
  return engineFailed(job, error);
}

/**
 * The steps after a container's end can be repeated by the dispatch that resumes, so a worker that stops does
 * not wait for them. A cancel at this time changes nothing, but nobody waits for a store then.
 */
async function leftDuringFinish({ lease, storeLimit }: Job): Promise<never> {
  try {
    return await aborted(lease.signal);
  } catch (error) {
    if (lease.left) throw error;
    setTimeout(() => storeLimit.abort(new Error('cancelled')), CANCEL_DRAIN_MS).unref();
    return new Promise(() => undefined);
  }
}

/** Never resolves; rejects with the signal's reason. */
const aborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => {
    const end = (): void =>
      reject(signal.reason instanceof Error ? signal.reason : new ActivityEnded('detached'));
    if (signal.aborted) end();
    else signal.addEventListener('abort', end, { once: true });
  });

/** Never resolves; rejects as the promise does. */
const failureOf = (work: Promise<unknown>): Promise<never> =>
  new Promise((_, reject) => {
    work.catch(reject);
  });

/** Waits for work until the limit; returns true if it was done. */
async function within(ms: number, work: Promise<unknown>): Promise<boolean> {
  const timer = new AbortController();
  try {
    const done = work.then(() => true);
    return await Promise.race([done, delay(ms, false, { signal: timer.signal })]);
  } finally {
    timer.abort();
  }
}

/** The activity has to end while the container runs. */
async function leave(job: Job, { reason }: ActivityEnded, log: Promise<void>): Promise<never> {
  if (reason === 'stale') throw superseded();
  if (reason === 'detached') {
    await within(
      FLUSH_ON_LEAVE_MS,
      job.log.flush().catch(() => undefined),
    ); // the next dispatch reads again what is not sent
    throw workerLost(job.deps.worker.hostId);
  }
  await stopContainer(job.deps.engine, job.name, job.input.graceMs);
  await within(
    CANCEL_DRAIN_MS,
    log.catch(() => undefined),
  ); // the log of a cancelled job: as much as was read
  await endLog(job, 'Job cancelled');
  await removeAll(job);
  throw cancelled();
}

async function endLog(job: Job, text: string): Promise<void> {
  job.log.recordsEnded();
  job.log.say(bad(text));
  const limit = setTimeout(() => job.storeLimit.abort(new Error('cancelled')), CANCEL_DRAIN_MS);
  try {
    await job.log.end();
  } catch {
    // A cancel does not wait for an unreachable store; the log stays open, and `davit status` shows that the
    // job was cancelled.
  } finally {
    clearTimeout(limit);
  }
}

/**
 * Then `davit status` shows it as running, and the workflow knows the host. Short jobs end before anybody
 * could look.
 */
function announce({ deps, lease, input }: Job): void {
  const started = { ref: input.ref, host: deps.worker.hostId, at: Date.now() };
  deps.announce?.(lease.run, started).catch(() => {
    // Display only: the heartbeat carries the host as well.
  });
}

/** SUP-4. The dispatch that resumes the job repeats unfinished steps once the engine answers. */
async function untilBack({ deps, lease, log }: Job): Promise<never> {
  log.abandon();
  await delay(AWAY_PAUSE_MS, undefined, { signal: lease.signal }).catch(() => undefined); // the activity ends anyway
  throw workerLost(deps.worker.hostId);
}

/** Unexpected: the container is not left running. */
async function engineFailed(job: Job, error: unknown): Promise<JobResult> {
  await stopContainer(job.deps.engine, job.name, job.input.graceMs).catch(() => undefined); // the janitor tries again
  return finishWithout(job, error, true);
}

/** The container is gone: it was removed, or its engine has lost it. */
export function hostLost(job: Job): Promise<JobResult> {
  const { hostName } = job.deps.worker;
  job.log.lost(`The container of this job is not on ${hostName} any more.`);
  return finishWithout(
    job,
    new DavitError('engine/container-missing', `The container of this job is not on ${hostName} any more.`),
    true,
  );
}

export const removeAll = (job: Job): Promise<void> => removeObjects(job.deps.engine, { labels: job.labels });

/**
 * Removes the container unless a later dispatch has opened the log. If that is unknown, it is left to the
 * next dispatch or the janitor.
 */
async function isCurrentDispatch({ deps, input }: Job): Promise<boolean> {
  const asked = deps.logs.open(input.ref, input.ref.epoch).then(
    () => true,
    () => false,
  );
  return Promise.race([asked, delay(FLUSH_ON_LEAVE_MS, false, { ref: false })]);
}

/**
 * A failure before the container was known to run. An unreachable engine is not the job's fault: a job that
 * was not started is requeued, and one that may have been is left to the dispatch that resumes it (SUP-1).
 */
export async function notStarted(
  job: Job,
  { startAsked }: StartProgress,
  error: unknown,
): Promise<JobResult> {
  const { engine, worker } = job.deps;
  forgetNetwork(engine); // it may have been removed; the next job checks
  const why: unknown = job.lease.signal.aborted ? job.lease.signal.reason : error;
  const state = await engine.inspectContainer(job.name).catch(() => 'away' as const);
  const begun = state === 'away' ? startAsked : state !== undefined && hasStarted(state);
  if (why instanceof ActivityEnded) return await endedBefore(job, why, begun);
  // If the engine does not tell the time, 0: a late timeout is better than an early one.
  if (begun && state !== 'away' && state)
    return supervise(job, await runTimeOf(engine, state).catch(() => 0));
  if (isAwayForNow(error, job.input.ref)) {
    job.log.abandon();
    throw begun ? workerLost(worker.hostId) : requeue(`${worker.hostName}: ${error.message}`);
  }
  const told = await retryHintAfterGc(error, {
    hostName: worker.hostName,
    freeDiskSpace: job.deps.freeDiskSpace,
  });
  const result = await finishWithout(job, told, begun);
  job.deps.background(removeAll(job));
  return result;
}

async function endedBefore(job: Job, { reason }: ActivityEnded, begun: boolean): Promise<never> {
  job.log.abandon();
  if (reason === 'stale') throw superseded();
  if (reason === 'detached' && begun) throw workerLost(job.deps.worker.hostId);
  if (reason !== 'detached' || (await isCurrentDispatch(job)))
    await removeAll(job).catch((error: unknown) => {
      if (!isAway(error)) throw error; // left to the next dispatch or the janitor
    });
  throw reason === 'detached' ? requeue('The worker stops; nothing was started.') : cancelled();
}
