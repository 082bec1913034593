/**
 * `resumeJob`: goes on with a job whose worker went away, on the engine's own queue. Attach only: the container that has the
 * attempt's name is followed to its end; log and mask set go on from their last checkpoint. Nothing is ever started here.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { ContainerState } from '../src/adapters/ports.ts';
import { DavitError } from '../src/errors.ts';
import type { JobResult } from '../src/plan/outcome.ts';
import type { RunInput } from './contract.ts';
import { untilAnswered } from './job/appender.ts';
import type { JobDeps } from './job/deps.ts';
import { finishWithout } from './job/finish.ts';
import { isAlive } from './job/follow.ts';
import { type Job, openJob } from './job/job.ts';
import { lost, removeAll, supervise } from './job/life.ts';
import { Ended, Lifeline } from './job/lifeline.ts';
import { loadMasks, masksOf } from './job/mask-set.ts';
import { detached, replaced } from './job/thrown.ts';

/** The activity has to end before it has found the container: the next one looks for it. */
const leaving = (deps: JobDeps, why: unknown): Error =>
  why instanceof Ended && why.reason === 'detached' ? detached(deps.worker.hostId) : replaced();

const ASK_AGAIN_MS = 2_000;

export function makeResumeJob(deps: JobDeps): (input: RunInput) => Promise<JobResult> {
  return async (input) => {
    if (deps.stopping.aborted) throw detached(deps.worker.hostId);
    const lifeline = new Lifeline(deps);
    try {
      const job = await openJob(deps, input, lifeline);
      return await resume(job);
    } catch (error) {
      if (error instanceof DavitError && error.code === 'log/fenced') throw replaced();
      if (lifeline.signal.aborted) throw leaving(deps, lifeline.signal.reason);
      throw error;
    } finally {
      lifeline.close();
    }
  };
}

async function resume(job: Job): Promise<JobResult> {
  const { deps, log } = job;
  const [state, masks] = await Promise.all([
    look(job),
    untilAnswered(job.lifeline.signal, () => loadMasks(deps, job.name)),
  ]);
  if (masks) log.hide(masksOf(masks));
  if (!state) return lost(job);
  if (!isAlive(state) && state.startedAt === 0) {
    // Its worker went away between create and start: nothing of the job has run.
    const result = await finishWithout(
      job,
      new DavitError('engine/container-missing', 'The worker went away before the container was started.'),
      false,
    );
    deps.background(removeAll(job));
    return result;
  }
  if (!masks)
    log.withhold('The values to mask are not in the store any more: the rest of the log is left out.');
  return supervise(job, state.startedAt);
}

/** An engine that is away is asked again for as long as the workflow wants this: nobody else could resume the job either. */
async function look({ deps, name, lifeline }: Job): Promise<ContainerState | undefined> {
  for (;;) {
    lifeline.signal.throwIfAborted();
    try {
      return await deps.engine.inspectContainer(name);
    } catch (error) {
      if (!(error instanceof DavitError) || error.code !== 'engine/unreachable') throw error;
      await delay(ASK_AGAIN_MS, undefined, { signal: lifeline.signal });
    }
  }
}
