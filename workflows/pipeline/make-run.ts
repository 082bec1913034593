import type { CompileOutput } from '../../activities/contract.ts';
import { buildGraph } from '../../src/plan/policy/graph.ts';
import type { PlanJob } from '../../src/plan/model/plan.ts';
import type { JobStatus, PipelineInput } from '../../src/plan/model/protocol.ts';
import type { PipelineRecord } from '../../src/plan/model/records.ts';
import { LockClient } from '../job/lock-client.ts';
import { QueueWatch } from '../job/queue-watch.ts';
import { ContainerCleanup } from '../job/container-cleanup.ts';
import { Semaphore } from '../job/semaphore.ts';
import type { Run } from '../job/state.ts';

/** All of a run at its beginning. With a record, jobs that had ended stay as they were, and attempts count on. */
export function makeRun(of: {
  input: PipelineInput;
  compiled: Extract<CompileOutput, { kind: 'plan' }>;
  seed: PipelineRecord | undefined;
  changed: () => void;
}): Run {
  const { input, compiled, seed } = of;
  const { plan, limits } = compiled;
  const before = new Map(seed?.status.jobs.map((job) => [job.key, job]));
  return {
    input,
    plan,
    planBlob: compiled.planBlob,
    limits,
    graph: buildGraph(plan),
    jobs: plan.jobs.map((job, index) => ({
      spec: job,
      index,
      status: kept(before.get(job.key)) ?? fresh(job, compiled.jobIds[job.key] ?? 0, before.get(job.key)),
      retryRequested: false,
    })),
    permits: new Semaphore(limits.maxPendingJobs),
    locks: new LockClient(input),
    cleanup: new ContainerCleanup(input.id, limits),
    queueWatch: new QueueWatch(),
    changed: of.changed,
  };
}

const kept = (job: JobStatus | undefined): JobStatus | undefined =>
  job?.phase === 'ended' ? { ...job, decisions: [...job.decisions] } : undefined;

const fresh = (job: PlanJob, jobId: number, before: JobStatus | undefined): JobStatus => ({
  key: job.key,
  stage: job.stage,
  kind: job.kind,
  phase: 'created',
  allowedToFail: false,
  attempt: before?.attempt ?? 0,
  epoch: 0,
  jobId: before?.jobId ?? jobId,
  queue: job.queue,
  ...(job.confirmation !== undefined && { confirmation: job.confirmation }),
  since: Date.now(),
  given: before?.given,
  ...(before?.downstream && { downstream: before.downstream }),
  decisions: before?.decisions ?? [],
});
