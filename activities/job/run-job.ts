/**
 * `runJob`: one attempt of a script job, one supervised container that outlives its worker. `apitest` adds a
 * container under test beside it. See `run/supervise.ts` for the invariants.
 */
import { DavitError } from '../../src/errors.ts';
import type { JobResult } from '../../src/plan/model/outcome.ts';
import type { RunInput } from '../contract.ts';
import type { JobDeps } from './context/deps.ts';
import { archOf, type Job, openJob } from './context/job.ts';
import { notStarted, supervise } from './run/supervise.ts';
import { ActivityEnded, ActivityLease } from '../runtime/activity-lease.ts';
import { outOfScope } from '../../src/match/worker-scope.ts';
import { prepare } from './start/prepare.ts';
import { cancelled, requeue, superseded } from '../runtime/failures.ts';

export function makeRunJob(deps: JobDeps): (input: RunInput) => Promise<JobResult> {
  return async (input) => {
    const missing = input.tags.filter((tag) => !deps.worker.tags.includes(tag));
    if (missing.length > 0) throw requeue(`This worker has no tag ${missing.join(', ')}.`);
    if (deps.stopping.aborted) throw requeue('The worker stops; nothing was started.');
    const lease = new ActivityLease(deps);
    try {
      return await attempt(deps, input, lease);
    } finally {
      lease.close();
    }
  };
}

async function attempt(deps: JobDeps, input: RunInput, lease: ActivityLease): Promise<JobResult> {
  const job = await openJob(deps, input, lease).catch((error: unknown) => {
    const { signal } = lease;
    throw endOf(signal.aborted ? signal.reason : error);
  });
  const unfit = unfitness(job);
  if (unfit) throw requeue(unfit);
  const progress = { startAsked: false };
  let ranMs: number;
  try {
    ranMs = await prepare(job, progress);
  } catch (error) {
    if (error instanceof DavitError && error.code === 'log/fenced') throw superseded();
    return await notStarted(job, progress, error);
  }
  return supervise(job, ranMs);
}

/** The attempt ended before anything was created. */
function endOf(error: unknown): unknown {
  if (error instanceof DavitError && error.code === 'log/fenced') return superseded();
  // The server knows more of this machine than its configuration says: another worker takes the job.
  if (error instanceof DavitError && error.code === 'worker/scope') return requeue(error.message);
  if (!(error instanceof ActivityEnded)) return error;
  return error.reason === 'detached' ? requeue('The worker stops; nothing was started.') : cancelled();
}

/** The reason why this worker may not run it although it has the tags; checked before anything is created. */
function unfitness(job: Job): string | undefined {
  const { worker } = job.deps;
  const arch = archOf(job);
  const outside = outOfScope(job.spec, worker.config);
  if (outside) return outside;
  if (!worker.arches.includes(arch)) return `This worker does not run ${arch}.`;
  const hardware = job.input.tags.filter((tag) => tag in worker.config.devices);
  if (hardware.length > 0 && worker.emulated.includes(arch))
    return `The job asks for hardware (${hardware.join(', ')}), and ${arch} is emulated here.`;
  return undefined;
}
