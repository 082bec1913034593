/**
 * What a workflow may ask for: names, inputs and results of every activity, and the failure types they throw.
 * Types only; implementations are factories over ports. An activity that ran a job *returns* its JobResult,
 * whatever the outcome; it throws only what the workflow must act upon:
 *   Detached  {host}  the worker stopped, the container runs on: resume it on the host's queue, same attempt
 *   HandedBack {reason} this worker may not run it (a missing tag): dispatch again, nothing was started
 *   CancelledFailure   the workflow asked; the container is stopped and cleaned up already
 * Anything else thrown is `errored: internal`.
 */
import type { Strategy } from '../src/plan/model/strategy.ts';
import type { AttemptRef, Digest, JobKey, PipelineId, ProjectSlug } from '../src/plan/model/ids.ts';
import type {
  ArtifactRef,
  BuiltImage,
  DeployedState,
  JobResult,
  LogSummary,
  PushedIndex,
} from '../src/plan/model/outcome.ts';
import type { ForeignNeed, Plan, JobKind } from '../src/plan/model/plan.ts';
import type { CrossPipelineAnswer } from '../src/plan/model/artifacts.ts';
import type { KeyLookup, PipelineState } from '../src/plan/model/protocol.ts';
import type { PipelineRecord } from '../src/plan/model/records.ts';
import type { Trigger } from '../src/plan/model/trigger.ts';

/** Durations in ms, from the installation file, so that every wait of a workflow is configuration. */
export interface Limits {
  heartbeatTimeoutMs: number; // 30 s
  hostGraceMs: number; // how long a lost host may stay away: 5 min
  queueTimeoutMs: number; // how long a job may wait for a worker: 24 h
  pipelineTimeoutMs: number; // 30 days
  cancelGraceMs: number; // SIGTERM to SIGKILL: 10 s
  releaseDelayMs: number; // unused containers are removed this long after the job's end
  maxPendingJobs: number; // 100
  autoRetries: number; // errored attempts that never started their container: 2
  approveBySignal?: boolean; // people who have Temporal itself may approve by signal: true
}

export interface ClaimInput {
  project: ProjectSlug;
  key: string;
  deliveryId: string;
  /** Of the workflow's own making: a retry of this call gets the same answer. */
  claimId: string;
}
export type ClaimOutput = { iid: number; number: number; fresh: boolean };

export interface CompileInput {
  id: PipelineId;
  iid: number;
  number: number;
  trigger: Trigger;
}
export type CompileOutput =
  | {
      kind: 'plan';
      plan: Plan;
      planBlob: Digest;
      jobIds: Record<JobKey, number>;
      warnings: string[];
      limits: Limits;
      source: Digest;
    }
  /** Nothing to run: no job, [skip ci], workflow:rules. No failure. */
  | { kind: 'empty'; reason: string }
  /** Coded diagnostics for people, `file:line:column code message`. */
  | { kind: 'invalid'; problems: string[] };

export interface FindArtifactsInput {
  project: ProjectSlug;
  fork: boolean;
  /** CI_PIPELINE_ID of the pipeline at the head of its family: its own, where it has no parent. */
  root: number;
  needs: ForeignNeed[];
}

export interface DownstreamInput {
  ref: AttemptRef;
  /** CI_PIPELINE_ID of the pipeline that the job is in, and what asked for it. */
  number: number;
  trigger: Trigger;
  spec: Digest;
  strategy?: Strategy;
  /** What the jobs left that the child's file is read out of. */
  files: { job: JobKey; jobId: number; artifact: ArtifactRef }[];
  dotenv: { job: JobKey; digest: Digest }[];
  /** Workflow's clock, epoch ms. */
  at: number;
}
export interface FindMirroredInput {
  /** The project that asks, and what it asks for: by its full name at the forge, or its name here. */
  project: ProjectSlug;
  pipeline: PipelineId;
  fork: boolean;
  mirrors: string;
}
/** The newest pipeline of its default branch; or, for a person, why there is none to follow. */
export type MirroredAnswer = { project: ProjectSlug; pipeline: PipelineId } | { refused: string };
/** The project reports the pipeline's id by signal. `refused`: for a person, why there will be none. */
export type DownstreamAnswer = { project: ProjectSlug } | { refused: string };

export interface RunInput {
  ref: AttemptRef;
  kind: JobKind;
  project: ProjectSlug;
  spec: Digest;
  timeoutMs: number;
  /** Workflow's clock, epoch ms, when the attempt was first dispatched. */
  dispatchedAt: number;
  /** Tags the worker must all have. */
  tags: string[];
  artifacts: { job: JobKey; artifact: ArtifactRef }[];
  dotenv: { job: JobKey; digest: Digest }[];
  images: { job: JobKey; image: BuiltImage }[];
  indexes: { job: JobKey; index: PushedIndex }[];
  /** CI_JOB_MANUAL, GITLAB_USER_LOGIN: who played it. */
  playedBy?: string;
  graceMs: number;
  /**
   * A resume that finds that nothing was ever started may hand it back: the workflow gives it to its queue
   * again.
   */
  handsBack?: boolean;
}
export interface HostInput {
  ref: AttemptRef;
  graceMs: number;
}
export interface CloseLogInput {
  /** Its epoch is above that of every dispatch of the attempt. */
  ref: AttemptRef;
  /** For a person: why the log ends here. */
  text: string;
}
export interface ReleaseInput {
  pipeline: PipelineId;
  /** Names the attempts whose containers may go; results are in history. */
  refs: AttemptRef[];
}

export interface DeployInput extends RunInput {
  /** `deploy.seq`: rises with each deployment of the environment. */
  seq: number;
  /** Equal for every dispatch of this deployment: pipeline + job + attempt. */
  deployId: string;
  /**
   * The job was cancelled while no one knew what an earlier dispatch had done: reports the state of the
   * target and applies nothing.
   */
  onlyLook?: boolean;
}
export type ApplyOutput =
  | { kind: 'applied' | 'already'; state: DeployedState; previous?: string }
  | { kind: 'outdated'; state: DeployedState }
  | { kind: 'failed'; result: JobResult };

export interface ReleaseJobInput {
  kind: JobKind;
  project: ProjectSlug;
  pipeline: PipelineId;
  job: JobKey;
  spec: Digest;
  notes?: Digest;
  dotenv: { job: JobKey; digest: Digest }[];
}
export type ReleaseOutput =
  | { kind: 'made'; tag: string; url?: string; warnings: string[] }
  | { kind: 'refused'; message: string };

export interface PublishInput {
  kind: JobKind;
  project: ProjectSlug;
  pipeline: PipelineId;
  job: JobKey;
  jobId: number;
  spec: Digest;
  /** What the job left; its site is in there. */
  artifact?: Digest;
}
export type PublishOutput =
  | { kind: 'published'; url: string; warnings: string[] }
  /** Nothing is wrong with the job, and nothing was published. */
  | { kind: 'left'; warning: string }
  | { kind: 'refused'; message: string };

/** On queue `control`. */
export interface ControlActivities {
  claimPipeline(input: ClaimInput): Promise<ClaimOutput>;
  /** True when the forge's ref is at this commit now. */
  forgeHeadIs(input: { project: ProjectSlug; ref: string; sha: string }): Promise<boolean>;
  compilePipeline(input: CompileInput): Promise<CompileOutput>;
  pushImage(input: RunInput): Promise<JobResult>;
  /** Artifacts of jobs of other pipelines: a question, so it changes nothing. */
  findGiven(input: FindArtifactsInput): Promise<CrossPipelineAnswer>;
  /** Durable when it resolves; at most one pipeline for each attempt, however often it is asked. */
  startDownstream(input: DownstreamInput): Promise<DownstreamAnswer>;
  /** A question: it changes nothing. */
  findMirrored(input: FindMirroredInput): Promise<MirroredAnswer>;
  /** What became of the key of a trigger job, as its project remembers it: a question, it starts nothing. */
  findDownstream(input: { project: ProjectSlug; key: string }): Promise<KeyLookup>;
  /**
   * Of a pipeline that was started and says nothing. `state` of a closed one is absent where it left no
   * record.
   */
  lookDownstream(input: { id: PipelineId }): Promise<{ closed: boolean; state?: PipelineState }>;
  /** Of an attempt whose machine was given up: what it writes late is refused from here on. Idempotent. */
  closeLog(input: CloseLogInput): Promise<LogSummary>;
  recordPipeline(input: { record: PipelineRecord }): Promise<{ record: Digest }>;
  loadRecord(input: {
    record: Digest;
  }): Promise<{ record: PipelineRecord; compiled?: Extract<CompileOutput, { kind: 'plan' }> }>;
  /** The latest record of a closed pipeline; undefined when there is none. */
  findRecord(input: {
    id: PipelineId;
  }): Promise<{ record?: Digest; number?: number; trigger?: Trigger; order?: number }>;
  /**
   * `release` of a job whose script has succeeded. Idempotent: the same job finds what it has made. An outage
   * rejects and is tried again; what the forge or davit says no to is an answer.
   */
  createRelease(input: ReleaseJobInput): Promise<ReleaseOutput>;
  /** `pages` of a job whose script has succeeded. Idempotent; a site of a newer pipeline stays. */
  publishPages(input: PublishInput): Promise<PublishOutput>;
  /** Best effort; never fails a pipeline. */
  reportCommitStatus(input: {
    project: ProjectSlug;
    id: PipelineId;
    sha: string;
    ref: string;
    state: PipelineState;
    fork?: boolean;
  }): Promise<void>;
  /** True when this run of a pipeline is closed (a lock's holder that stopped). */
  isClosed(input: { workflowId: string; runId: string }): Promise<boolean>;
}
/** On the queue of an architecture, or of a tag. */
export interface ArchActivities {
  runJob(input: RunInput): Promise<JobResult>;
  buildImage(input: RunInput): Promise<JobResult>;
  apitest(input: RunInput): Promise<JobResult>;
}
/** On `host-ID`: attach only. */
export interface HostActivities {
  resumeJob(input: RunInput): Promise<JobResult>;
  /** Stop, grace, kill, verify gone, clean up. Idempotent; a container that is not there is success. */
  stopJob(input: HostInput): Promise<void>;
  releaseJobs(input: ReleaseInput): Promise<void>;
}
/** On `deploy-TARGET`. */
export interface DeployActivities {
  applyDeploy(input: DeployInput): Promise<ApplyOutput>;
  watchDeploy(input: DeployInput): Promise<JobResult>;
  /**
   * Once, explicit; returns what the target really is afterwards. `previous` is what applyDeploy replaced.
   */
  rollbackDeploy(input: DeployInput & { previous?: string; newSeq: number }): Promise<DeployedState>;
}
export type AllActivities = ControlActivities & ArchActivities & HostActivities & DeployActivities;
