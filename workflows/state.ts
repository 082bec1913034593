/** What the parts of the pipeline workflow share. Mutable, one a workflow run; only `Scheduler` and `lifeOf` write phases. */
import type { CancellationScope, Trigger } from '@temporalio/workflow';
import type { Limits } from '../activities/contract.ts';
import { isBlocked } from '../src/plan/downstream.ts';
import type { Graph } from '../src/plan/graph.ts';
import type { AttemptRef, Digest } from '../src/plan/ids.ts';
import type { Plan, PlanJob } from '../src/plan/plan.ts';
import type { JobPhase, JobStatus, PipelineInput } from '../src/plan/protocol.ts';
import type { JobView } from '../src/plan/status.ts';
import type { LockClient } from './lock-client.ts';
import type { QueueWatch } from './queue-watch.ts';
import type { Releases } from './releases.ts';
import type { Semaphore } from './semaphore.ts';

export interface JobRun {
  readonly job: PlanJob;
  readonly index: number;
  readonly status: JobStatus;
  /** A person asked for it again. */
  again: boolean;
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
  hears?: () => void;
  /** Its pipeline, which had ended, runs on: the job waits for that one. */
  rejoins?: boolean;
  /** Superseded: its child decides by itself. */
  leavesDownstream?: boolean;
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
  readonly releases: Releases;
  readonly watch: QueueWatch;
  /** Something that people can see is different now. */
  changed(): void;
}

export const viewOf = (one: JobRun): JobView => ({
  phase: one.status.phase,
  outcome: one.status.outcome,
  exitCode: one.status.result?.exitCode,
  again: one.again,
  ...(isBlocked(one.status.downstream) && { blocked: true }),
});

/** `waitingFor` goes with a phase and never outlives it. */
export function enter(
  run: Pick<Run, 'changed'>,
  one: JobRun,
  to: { phase: JobPhase; waitingFor?: string },
): void {
  one.status.phase = to.phase;
  one.status.waitingFor = to.waitingFor;
  // A script that is resumed has run all the time.
  one.status.since = (to.phase === 'running' ? one.startedAt : undefined) ?? Date.now();
  run.changed();
}

export const refOf = (run: Pick<Run, 'input'>, one: JobRun): AttemptRef => ({
  pipeline: run.input.id,
  job: one.job.key,
  jobId: one.status.jobId,
  attempt: one.status.attempt,
  epoch: one.status.epoch,
});
