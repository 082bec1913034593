/**
 * What the parts of a pipeline workflow share: mutable, one per workflow run. Only `setPhase` writes a job's
 * phase.
 */
import type { CancellationScope, Trigger } from '@temporalio/workflow';
import type { Limits } from '../../activities/contract.ts';
import { isBlocked } from '../../src/plan/policy/downstream.ts';
import type { Graph } from '../../src/plan/policy/graph.ts';
import type { AttemptRef, Digest } from '../../src/plan/model/ids.ts';
import type { Gate, Plan, PlanJob } from '../../src/plan/model/plan.ts';
import type { JobStatus, PipelineInput } from '../../src/plan/model/protocol.ts';
import type { JobView } from '../../src/plan/policy/status.ts';
import type { LockClient } from './lock-client.ts';
import type { QueueWatch } from './queue-watch.ts';
import type { ContainerCleanup } from './container-cleanup.ts';
import type { Semaphore } from './semaphore.ts';

export type GateDecision = 'approved' | 'rejected' | 'expired';

/**
 * The phase of a job, with what exists in this phase only. `scope`: cancelling it cancels the job's
 * lifecycle.
 */
export type JobState =
  | { phase: 'created' | 'manual' | 'ended' }
  /** Without `decision` the gate is decided, and the job is about to leave the phase. */
  | { phase: 'gate'; scope: CancellationScope; decision?: Trigger<GateDecision> }
  /** `startNow` ends the delay. */
  | { phase: 'scheduled'; scope: CancellationScope; startNow: Trigger<void> }
  | { phase: 'waiting_for_resource' | 'dispatched' | 'running' | 'stopping'; scope: CancellationScope };

type LiveState = Extract<JobState, { scope: CancellationScope }>;
type WithoutScope<State> = State extends unknown ? Omit<State, 'scope'> : never;

/**
 * What is known of the newest attempt. It outlives the attempt: a job that waits for its next one can be
 * cancelled.
 */
export interface AttemptFacts {
  /** Host on which its container was last seen. */
  host?: string;
  /** When a worker reported that it runs, epoch ms. */
  startedAt?: number;
}

/** A trigger job's connection with its downstream pipeline. */
export interface DownstreamLink {
  /** Called at news of the pipeline, while the job waits for it. */
  onNews?: () => void;
  /** The pipeline had ended and runs again: the next attempt waits for it and starts none. */
  reattach: boolean;
  /** Superseded: a child is not cancelled with the job, it decides by its own plan. */
  detach: boolean;
}

/** A job at run time. */
export interface JobRun {
  readonly spec: PlanJob;
  readonly index: number;
  /** What people and records see. Its `phase` equals that of `state`. */
  readonly status: JobStatus;
  state: JobState;
  attempt: AttemptFacts;
  /** Present for trigger jobs. */
  readonly link: DownstreamLink | undefined;
  /** A person has asked for it again. */
  retryRequested: boolean;
  /** It runs now because of that, and not because of a retry of a job before it. */
  askedAgain: boolean;
  playedBy?: string;
  /** The gate as it is asked now, if that is not the plan's. */
  gate?: Gate;
  /** Epoch ms: approvals from before do not count. */
  gateOpenedAt?: number;
}
export interface TriggerRun extends JobRun {
  readonly link: DownstreamLink;
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
  /** To be called when something that people can see has changed. */
  changed(): void;
}

export const isTriggerRun = (job: JobRun): job is TriggerRun => job.link !== undefined;

export const viewOf = (job: JobRun): JobView => ({
  phase: job.status.phase,
  outcome: job.status.outcome,
  exitCode: job.status.result?.exitCode,
  retryRequested: job.retryRequested,
  ...(isBlocked(job.status.downstream) && { blocked: true }),
});

/** `waitingFor` belongs to a phase and never outlives it. */
export function setPhase(run: Pick<Run, 'changed'>, job: JobRun, state: JobState, waitingFor?: string): void {
  job.state = state;
  job.status.phase = state.phase;
  job.status.waitingFor = waitingFor;
  // A script that is resumed has run all the time.
  job.status.since = (state.phase === 'running' ? job.attempt.startedAt : undefined) ?? Date.now();
  run.changed();
}

/** The next phase within the job's lifecycle, which keeps its scope. */
export function setLivePhase(
  run: Pick<Run, 'changed'>,
  job: JobRun,
  next: WithoutScope<LiveState>,
  waitingFor?: string,
): void {
  if (!('scope' in job.state)) throw new Error(`The lifecycle of ${job.spec.key} is not running.`);
  setPhase(run, job, { ...next, scope: job.state.scope }, waitingFor);
}

export const refOf = (run: Pick<Run, 'input'>, job: JobRun): AttemptRef => ({
  pipeline: run.input.id,
  job: job.spec.key,
  jobId: job.status.jobId,
  attempt: job.status.attempt,
  epoch: job.status.epoch,
});
