/**
 * `resumeJob`: goes on with a job whose worker went away, on the engine's own queue. Attach only: the container that has the
 * attempt's name is followed to its end; log and mask set go on from their last checkpoint. Nothing is ever started here.
 */
import { DavitError } from '../src/errors.ts';
import type { JobResult } from '../src/plan/outcome.ts';
import type { RunInput } from './contract.ts';
import type { JobDeps } from './job/deps.ts';
import { finishWithout } from './job/finish.ts';
import { isAlive } from './job/follow.ts';
import { type Job, openJob } from './job/job.ts';
import { lost, removeAll, supervise } from './job/life.ts';
import { Lifeline } from './job/lifeline.ts';
import { loadMasks, masksOf } from './job/mask-set.ts';
import { detached, replaced } from './job/thrown.ts';

export function makeResumeJob(deps: JobDeps): (input: RunInput) => Promise<JobResult> {
  return async (input) => {
    if (deps.stopping.aborted) throw detached(deps.worker.hostId);
    const lifeline = new Lifeline(deps);
    try {
      const job = await openJob(deps, input, lifeline);
      return await resume(job);
    } catch (error) {
      if (error instanceof DavitError && error.code === 'log/fenced') throw replaced();
      throw error;
    } finally {
      lifeline.close();
    }
  };
}

async function resume(job: Job): Promise<JobResult> {
  const { deps, log } = job;
  const state = await deps.engine.inspectContainer(job.name);
  const masks = await loadMasks(deps, job.name);
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
