import { withArch } from '../../src/plan/model/queues.ts';
import type { CompileOutput } from '../../activities/contract.ts';
import { buildGraph } from '../../src/plan/policy/graph.ts';
import type { PlanJob } from '../../src/plan/model/plan.ts';
import type { JobStatus, PipelineInput } from '../../src/plan/model/protocol.ts';
import type { PipelineRecord } from '../../src/plan/model/records.ts';
import { LockClient } from '../job/lock-client.ts';
import { QueueWatch } from '../job/queue-watch.ts';
import { ContainerCleanup } from '../job/container-cleanup.ts';
import { Semaphore } from '../job/semaphore.ts';
import type { JobRun, Run } from '../job/state.ts';

/** A run at its beginning. With a record, jobs that had ended stay ended, and attempts are numbered on. */
export function makeRun(
  input: PipelineInput,
  compiled: Extract<CompileOutput, { kind: 'plan' }>,
  record: PipelineRecord | undefined,
  changed: () => void,
): Run {
  const { plan, limits } = compiled;
  const before = new Map(record?.status.jobs.map((job) => [job.key, job]));
  return {
    input,
    plan,
    planBlob: compiled.planBlob,
    limits,
    graph: buildGraph(plan),
    jobs: plan.jobs.map((spec, index) =>
      makeJob(spec, index, compiled.jobIds[spec.key] ?? 0, before.get(spec.key)),
    ),
    permits: new Semaphore(limits.maxPendingJobs),
    locks: new LockClient(input),
    cleanup: new ContainerCleanup(input.id, limits),
    queueWatch: new QueueWatch(),
    changed,
  };
}

function makeJob(spec: PlanJob, index: number, jobId: number, before: JobStatus | undefined): JobRun {
  const kept = endedBefore(before);
  return {
    spec,
    index,
    status: kept ?? newStatus(spec, jobId, before),
    state: { phase: kept ? 'ended' : 'created' },
    attempt: {},
    link: spec.kind === 'trigger' ? { reattach: false, detach: false } : undefined,
    retryRequested: false,
    askedAgain: false,
  };
}

const endedBefore = (job: JobStatus | undefined): JobStatus | undefined =>
  job?.phase === 'ended' ? { ...job, decisions: [...job.decisions] } : undefined;

const newStatus = (job: PlanJob, jobId: number, before: JobStatus | undefined): JobStatus => ({
  key: job.key,
  stage: job.stage,
  kind: job.kind,
  phase: 'created',
  allowedToFail: false,
  attempt: before?.attempt ?? 0,
  epoch: 0,
  ...(before?.turn !== undefined && { turn: before.turn }),
  jobId: before?.jobId ?? jobId,
  queue: job.queue,
  ...(job.tags.length > 0 && { tags: withArch(job) }),
  ...(job.confirmation !== undefined && { confirmation: job.confirmation }),
  since: Date.now(),
  given: before?.given,
  ...(before?.downstream && { downstream: before.downstream }),
  decisions: before?.decisions ?? [],
});
