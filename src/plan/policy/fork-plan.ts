/**
 * What the pipeline of a fork may do: run the jobs of its file without effects on other pipelines of the
 * project. Pure, and applied when the pipeline is compiled, so that no later step has to know. Invariants:
 * FORK-1 It takes no lock and writes no environment, release or site.
 * FORK-2 It pushes nothing and deploys nothing: such a job fails without reaching a queue.
 * FORK-3 Its jobs go to queues of their own, which only workers with `forks: true` poll.
 * FORK-4 With `admission`, no job starts before a person has approved that one, whatever its `when` and
 *        `needs` are (`workflows/job/admission.ts` enforces it).
 */
import type { Digest, JobKey } from '../model/ids.ts';
import type { Plan, PlanJob } from '../model/plan.ts';
import { forkQueue } from '../model/queues.ts';

/** For the admission only. */
export const FORK_STAGE = 'fork';

export interface Admission {
  key: JobKey;
  /** Users or roles who may approve. */
  approvers: string[];
  expiresInMs: number;
  spec: Digest;
}

/** A name that no job of the file has. */
export function admissionKey(jobs: readonly { key: JobKey; group: string }[]): JobKey {
  const taken = new Set(jobs.flatMap((job) => [job.key, job.group]));
  let key = 'run this fork';
  while (taken.has(key)) key += '?';
  return key;
}

/** Without `admission` no approval is needed. */
export function forkPlan(plan: Plan, admission: Admission | undefined): Plan {
  const jobs = plan.jobs.map(withoutEffects);
  if (!admission) return { ...plan, jobs };
  const need = { job: admission.key, artifacts: false, optional: false };
  const waiting = jobs.map(
    (job): PlanJob => ({
      ...job,
      stageIndex: job.stageIndex + 1,
      needs: job.needs && [need, ...job.needs],
    }),
  );
  return { ...plan, stages: [FORK_STAGE, ...plan.stages], jobs: [admissionJob(admission), ...waiting] };
}

function withoutEffects(job: PlanJob): PlanJob {
  const {
    environment: _environment,
    resourceGroup: _group,
    resourceMode: _mode,
    release: _release,
    pages: _pages,
    ...kept
  } = job;
  if (job.kind === 'push') return { ...kept, refused: 'A pipeline of a fork pushes no image.' };
  if (job.kind === 'deploy') return { ...kept, refused: 'A pipeline of a fork deploys nothing.' };
  return job.kind === 'trigger' ? kept : { ...kept, queue: forkQueue(job.queue) };
}

const admissionJob = ({ key, approvers, expiresInMs, spec }: Admission): PlanJob => ({
  key,
  group: key,
  stage: FORK_STAGE,
  stageIndex: 0,
  kind: 'script',
  when: 'on_success',
  allowFailure: false,
  needs: null,
  artifactsFrom: [],
  imagesFrom: [],
  tags: [],
  queue: 'control',
  retry: { max: 0, when: [], exitCodes: [] },
  timeoutMs: 60_000,
  gate: { approvers, expiresInMs, requires: [] },
  admission: true,
  interruptible: true,
  rerunnable: true,
  spec,
});
