/** What the parts of the pipeline workflow share. Mutable, one a workflow run; only `Scheduler` and `runJobLifecycle` write phases. */
import type { CancellationScope, Trigger } from '@temporalio/workflow';
import type { Limits } from '../../activities/contract.ts';
import { isBlocked } from '../../src/plan/model/downstream.ts';
import type { Graph } from '../../src/plan/policy/graph.ts';
import type { AttemptRef, Digest } from '../../src/plan/model/ids.ts';
import type { Plan, PlanJob } from '../../src/plan/model/plan.ts';
import type { JobPhase, JobStatus, PipelineInput } from '../../src/plan/model/protocol.ts';
import type { JobView } from '../../src/plan/policy/status.ts';
import type { LockClient } from './lock-client.ts';
import type { QueueWatch } from './queue-watch.ts';
import type { ContainerCleanup } from './container-cleanup.ts';
import type { Semaphore } from './semaphore.ts';

export interface JobRun {
  readonly spec: PlanJob;
  readonly index: number;
  readonly status: JobStatus;
  /** A person asked for it again. */
  retryRequested: boolean;
  /** While its life runs: cancelling it cancels the job. */
  scope?: CancellationScope;
  /** While its gate is open. */
  gate?: Trigger<'approved' | 'rejected' | 'expired'>;
  /** While it is delayed. */
  wake?: Trigger<void>;
  /** Machine its container was last seen on, this attempt. */
  host?: string;
  /** When a worker said that it runs, this attempt. Epoch ms. */
  startedAt?: number;
  playedBy?: string;
  /** Of a trigger job that waits: woken by news of its pipeline. */
  onNews?: () => void;
  /** Its pipeline, which had ended, runs on: the job waits for that one. */
  reattach?: boolean;
  /** Superseded: its child decides by itself. */
  detachChild?: boolean;
}

export interface Run {
  readonly input: PipelineInput;
  readonly plan: Plan;
  readonly planBlob: Digest;
  readonly limits: Limits;
  readonly graph: Graph;
  readonly jobs: readonly JobRun[];
  readonly permits: Semaphore;
  readonly locks: LockClient;
  readonly cleanup: ContainerCleanup;
  readonly queueWatch: QueueWatch;
  /** Something that people can see is different now. */
  changed(): void;
}

export const viewOf = (job: JobRun): JobView => ({
  phase: job.status.phase,
  outcome: job.status.outcome,
  exitCode: job.status.result?.exitCode,
  retryRequested: job.retryRequested,
  ...(isBlocked(job.status.downstream) && { blocked: true }),
});

/** `waitingFor` goes with a phase and never outlives it. */
export function setPhase(
  run: Pick<Run, 'changed'>,
  job: JobRun,
  to: { phase: JobPhase; waitingFor?: string },
): void {
  job.status.phase = to.phase;
  job.status.waitingFor = to.waitingFor;
  // A script that is resumed has run all the time.
  job.status.since = (to.phase === 'running' ? job.startedAt : undefined) ?? Date.now();
  run.changed();
}

export const refOf = (run: Pick<Run, 'input'>, job: JobRun): AttemptRef => ({
  pipeline: run.input.id,
  job: job.spec.key,
  jobId: job.status.jobId,
  attempt: job.status.attempt,
  epoch: job.status.epoch,
});
