/**
 * What a pipeline of a fork may be: the jobs of its file without anything that others of the project see or wait for. Pure,
 * and applied when the pipeline is compiled, so that no later step has to know. Invariants:
 * FORK-1 It takes no lock and writes no environment, release or site.
 * FORK-2 It pushes nothing and deploys nothing: such a job fails without reaching a queue.
 * FORK-3 Its jobs go to queues of their own, which only workers with `forks: true` poll.
 * FORK-4 With `admission`, no job starts before a person has approved that one, whatever its `when` and `needs` are
 *        (the last word has `workflows/job/admission.ts`).
 */
import type { Digest, JobKey } from '../model/ids.ts';
import type { Plan, PlanJob } from '../model/plan.ts';
import { forkQueue } from '../model/queues.ts';

/** Of the admission alone. */
export const FORK_STAGE = 'fork';

export interface Admission {
  key: JobKey;
  /** Who may say "run": users or roles. */
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

/** `admission` absent: nobody is asked. */
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
