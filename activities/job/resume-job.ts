/**
 * `resumeJob`: continues a job whose worker stopped, on the queue of its engine. It only attaches: the
 * container with the attempt's name is followed to its end; log and mask set continue from their last
 * checkpoint. It never starts a container. `workflows/job/attempt.ts` decides when.
 */
import type { ContainerState } from '../../src/adapters/ports.ts';
import { DavitError } from '../../src/errors.ts';
import type { JobResult } from '../../src/plan/model/outcome.ts';
import { constant, retry } from '../../src/utils/retry.ts';
import type { RunInput } from '../contract.ts';
import { retryUntilReachable } from '../runtime/retry-policies.ts';
import type { JobDeps } from './context/deps.ts';
import { loadEndNote } from './finish/end-note.ts';
import { finishNoted, finishWithout } from './finish/finish.ts';
import { isAlive, runTimeOf } from './container/follow.ts';
import { type Job, openJob } from './context/job.ts';
import { hostLost, removeAll, supervise } from './run/supervise.ts';
import { ActivityEnded, ActivityLease } from '../runtime/activity-lease.ts';
import { loadMasks, masksOf } from './start/mask-set.ts';
import { isAway, requeue, superseded, workerLost } from '../runtime/failures.ts';

/** The activity has to end before it has found the container; the next dispatch looks for it. */
const leaving = (deps: JobDeps, why: unknown): Error =>
  why instanceof ActivityEnded && why.reason === 'detached' ? workerLost(deps.worker.hostId) : superseded();

const ASK_AGAIN_MS = 2_000;

export function makeResumeJob(deps: JobDeps): (input: RunInput) => Promise<JobResult> {
  return async (input) => {
    if (deps.stopping.aborted) throw workerLost(deps.worker.hostId);
    const lease = new ActivityLease(deps);
    try {
      const job = await openJob(deps, input, lease);
      return await resume(job);
    } catch (error) {
      if (error instanceof DavitError && error.code === 'log/fenced') throw superseded();
      if (lease.signal.aborted) throw leaving(deps, lease.signal.reason);
      throw error;
    } finally {
      lease.close();
    }
  };
}

async function resume(job: Job): Promise<JobResult> {
  const { deps, log } = job;
  const [state, masks] = await Promise.all([
    look(job),
    retryUntilReachable(job.lease.signal, () => loadMasks(deps, job.name)),
  ]);
  if (masks) log.hide(masksOf(masks));
  const begun = state && (isAlive(state) || state.startedAt > 0) ? state : await withoutStart(job, state);
  if ('outcome' in begun) return begun;
  if (!masks)
    log.withhold('The values to mask are not in the store any more: the rest of the log is left out.');
  return supervise(job, await retryUntilEngineReachable(job, () => runTimeOf(deps.engine, begun)));
}

/**
 * No container has run. If an earlier dispatch has noted the end, that counts. Otherwise the log shows how
 * far it came: the beginning of the log is durable before a container starts, and this epoch has closed the
 * log to the earlier dispatch.
 */
async function withoutStart(
  job: Job,
  state: ContainerState | undefined,
): Promise<JobResult | ContainerState> {
  const { deps, log, name, lease } = job;
  const noted = await retryUntilReachable(lease.signal, () => loadEndNote(deps, name));
  if (noted) {
    if (!noted.started) deps.background(removeAll(job));
    return finishNoted(job, noted);
  }
  if (!state && (log.ended || log.position.offset > 0)) return hostLost(job);
  // A frozen worker may start it at this very moment; only the engine knows which came first.
  if (state && !(await deps.engine.removeUnlessRunning(name))) return (await look(job)) ?? hostLost(job);
  const why = 'The worker was lost before the container started.';
  if (job.input.handsBack) {
    log.abandon();
    await removeAll(job);
    throw requeue(why);
  }
  const result = await finishWithout(job, new DavitError('engine/container-missing', why), false);
  deps.background(removeAll(job));
  return result;
}

const look = (job: Job): Promise<ContainerState | undefined> =>
  retryUntilEngineReachable(job, () => job.deps.engine.inspectContainer(job.name));

/**
 * An unreachable engine is asked for as long as the workflow allows: no other worker could resume the job
 * either.
 */
async function retryUntilEngineReachable<T>({ lease }: Job, ask: () => Promise<T>): Promise<T> {
  lease.signal.throwIfAborted();
  return retry(ask, { retryable: isAway, backoff: constant(ASK_AGAIN_MS), signal: lease.signal });
}
