/**
 * The activities that a workflow calls: names, inputs and results of every activity, and the failure types
 * they throw. Types only; implementations are factories over ports. An activity that ran a job *returns* its
 * JobResult, whatever the outcome; it throws only what the workflow must act upon:
 * - Detached {host}: the worker stopped, the container continues. Resume it on the host's queue, same
 *   attempt.
 * - HandedBack {reason}: this worker may not run it (a missing tag). Dispatch again, nothing was started.
 * - CancelledFailure: the workflow asked; the container is stopped and cleaned up already.
 * Anything else thrown is `errored: internal`.
 */
import type { StatusCause, StatusReport, StatusWrite } from '../src/plan/model/commit-status.ts';
import type { ApprovalAnswer, ApprovalQuestion } from '../src/plan/model/approval.ts';
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
import type { Message } from '../src/plan/model/message.ts';
import type { DecisionProof, ProofAnswer } from '../src/plan/model/proof.ts';
import type { Decision, KeyLookup, PipelineState } from '../src/plan/model/protocol.ts';
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
  approveBySignal?: boolean; // people who have Temporal itself may approve by signal: false
}

export interface ClaimInput {
  project: ProjectSlug;
  key: string;
  deliveryId: string;
  /** Created by the workflow: a retry of this call gets the same answer. */
  claimId: string;
}
export type ClaimOutput = { iid: number; number: number; fresh: boolean };

export interface CompileInput {
  id: PipelineId;
  iid: number;
  number: number;
  /** Its place among the pipelines of the project, if that is not `iid`. */
  order?: number;
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
      /** The title of the commit, where the event did not tell it. */
      title?: string;
    }
  /** Nothing to run: no job, [skip ci], or workflow:rules. Not a failure. */
  | { kind: 'empty'; reason: string }
  /**
   * Coded diagnostics for people, `file:line:column code message`. `cause`: they are not about the file but about its
   * source, a token or a setting.
   */
  | { kind: 'invalid'; problems: string[]; cause?: StatusCause };

export interface FindArtifactsInput {
  project: ProjectSlug;
  fork: boolean;
  /** CI_PIPELINE_ID of the root pipeline of its family: its own id if it has no parent. */
  root: number;
  needs: ForeignNeed[];
}

export interface DownstreamInput {
  ref: AttemptRef;
  /** CI_PIPELINE_ID of the job's pipeline, and who requested it. */
  number: number;
  trigger: Trigger;
  spec: Digest;
  strategy?: Strategy;
  /** Outputs of the jobs from which the child's file is read. */
  files: { job: JobKey; jobId: number; artifact: ArtifactRef }[];
  dotenv: { job: JobKey; digest: Digest }[];
  /** The workflow's clock, epoch ms. */
  at: number;
}
export interface FindMirroredInput {
  /** The project that asks, and the project it asks for: by its full name at the forge, or its name here. */
  project: ProjectSlug;
  pipeline: PipelineId;
  fork: boolean;
  mirrors: string;
}
/** The newest pipeline of the default branch; or the reason, for a person, why there is none to follow. */
export type MirroredAnswer = { project: ProjectSlug; pipeline: PipelineId } | { refused: string };
/**
 * The project reports the pipeline's id by signal. `refused`: the reason, for a person, why no pipeline
 * starts.
 */
export type DownstreamAnswer = { project: ProjectSlug } | { refused: string };

export interface RunInput {
  ref: AttemptRef;
  kind: JobKind;
  project: ProjectSlug;
  spec: Digest;
  timeoutMs: number;
  /** The workflow's clock, epoch ms, when the attempt was first dispatched. */
  dispatchedAt: number;
  /** The worker must have all of these tags. */
  tags: string[];
  artifacts: { job: JobKey; artifact: ArtifactRef }[];
  dotenv: { job: JobKey; digest: Digest }[];
  images: { job: JobKey; image: BuiltImage }[];
  indexes: { job: JobKey; index: PushedIndex }[];
  /** CI_JOB_MANUAL and GITLAB_USER_LOGIN: the person who started the job. */
  playedBy?: string;
  graceMs: number;
  /**
   * A resume that finds that nothing was started may requeue it: the workflow dispatches it to its queue
   * again.
   */
  handsBack?: boolean;
}
export interface HostInput {
  ref: AttemptRef;
  graceMs: number;
}
export interface CloseLogInput {
  /** Higher than the epoch of every dispatch of the attempt. */
  ref: AttemptRef;
  /** The reason, for a person, why the log ends here. */
  text: string;
}
export interface ReleaseInput {
  pipeline: PipelineId;
  /** The attempts whose containers may be removed; their results are in history. */
  refs: AttemptRef[];
}

export interface DeployInput extends RunInput {
  /** `deploy.seq` increases with each deployment of the environment. */
  seq: number;
  /** The same for every dispatch of this deployment: pipeline + job + attempt. */
  deployId: string;
  /** For a job that people approved: checked once more before anything is written. */
  approval?: ApprovalQuestion;
  /**
   * The job was cancelled while the effect of an earlier dispatch was unknown: reports the state of the
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
  /** The job's artifact, which contains the site. */
  artifact?: Digest;
}
export type PublishOutput =
  | { kind: 'published'; url: string; warnings: string[] }
  /** The job is correct, and nothing was published. */
  | { kind: 'left'; warning: string }
  | { kind: 'refused'; message: string };

/** On the queue `control`. */
export interface ControlActivities {
  claimPipeline(input: ClaimInput): Promise<ClaimOutput>;
  /** True if the forge's ref points to this commit now. */
  forgeHeadIs(input: { project: ProjectSlug; ref: string; sha: string }): Promise<boolean>;
  compilePipeline(input: CompileInput): Promise<CompileOutput>;
  pushImage(input: RunInput): Promise<JobResult>;
  /** Finds artifacts of jobs of other pipelines. Read-only. */
  findGiven(input: FindArtifactsInput): Promise<CrossPipelineAnswer>;
  /** Durable when it resolves; starts at most one pipeline per attempt, even if it is called again. */
  startDownstream(input: DownstreamInput): Promise<DownstreamAnswer>;
  /** Read-only. */
  findMirrored(input: FindMirroredInput): Promise<MirroredAnswer>;
  /** What the project remembers of a trigger job's key. Read-only: it starts nothing. */
  findDownstream(input: { project: ProjectSlug; key: string }): Promise<KeyLookup>;
  /**
   * The state of a pipeline that was started and does not report. `state` of a closed pipeline is absent if
   * it left no record.
   */
  lookDownstream(input: { id: PipelineId }): Promise<{ closed: boolean; state?: PipelineState }>;
  /**
   * Closes the log of an attempt whose machine was given up; later writes of that machine are refused.
   * Idempotent.
   */
  closeLog(input: CloseLogInput): Promise<LogSummary>;
  recordPipeline(input: { record: PipelineRecord }): Promise<{ record: Digest }>;
  loadRecord(input: {
    record: Digest;
  }): Promise<{ record: PipelineRecord; compiled?: Extract<CompileOutput, { kind: 'plan' }> }>;
  /** The latest record of a closed pipeline; undefined if there is none. */
  findRecord(input: {
    id: PipelineId;
  }): Promise<{ record?: Digest; number?: number; trigger?: Trigger; order?: number }>;
  /**
   * `release` of a job whose script has succeeded. Idempotent: a repeated call finds the release. An outage
   * rejects and is retried; a refusal of the forge or davit is a result.
   */
  createRelease(input: ReleaseJobInput): Promise<ReleaseOutput>;
  /** `pages` of a job whose script has succeeded. Idempotent; the site of a newer pipeline stays. */
  publishPages(input: PublishInput): Promise<PublishOutput>;
  /** Passes it on to the writer of the commit's status; durable when it resolves. Does not wait for the forge. */
  reportCommitStatus(input: StatusReport): Promise<void>;
  /** Tells the forge, unless it was told something later. Rejects while the forge is away or refuses. */
  writeCommitStatus(input: StatusWrite): Promise<void>;
  /** Whether the approvals of a job still stand: a question, so it changes nothing. */
  checkApproval(input: ApprovalQuestion): Promise<ApprovalAnswer>;
  /** Whether a message that decides something was made by the server: a question, so it changes nothing. */
  checkProof(input: Message): Promise<ProofAnswer>;
  /**
   * For a decision that a project makes by itself, to stop an environment. Neither: an older server. `refused`: why the
   * server does not prove it.
   */
  proveStop(input: {
    pipeline: PipelineId;
    decision: Decision;
  }): Promise<{ proof?: DecisionProof; refused?: string }>;
  /** True if this run of a pipeline is closed (the holder of a lock that stopped). */
  isClosed(input: { workflowId: string; runId: string }): Promise<boolean>;
  /**
   * Asks Temporal to cancel a run whose pipeline is over, which lets it end as cancelled. Idempotent; no error where
   * the run is closed.
   */
  requestCancel(input: { workflowId: string; runId: string }): Promise<void>;
}
/** On the queue of an architecture or a tag. */
export interface ArchActivities {
  runJob(input: RunInput): Promise<JobResult>;
  buildImage(input: RunInput): Promise<JobResult>;
  apitest(input: RunInput): Promise<JobResult>;
}
/** On `host-ID`: only attaches to the container. */
export interface HostActivities {
  resumeJob(input: RunInput): Promise<JobResult>;
  /** Stops, kills after the grace period, verifies, cleans up. Idempotent; a missing container is success. */
  stopJob(input: HostInput): Promise<void>;
  releaseJobs(input: ReleaseInput): Promise<void>;
}
/** On `deploy-TARGET`. */
export interface DeployActivities {
  applyDeploy(input: DeployInput): Promise<ApplyOutput>;
  watchDeploy(input: DeployInput): Promise<JobResult>;
  /**
   * Rolls back once, on request; returns the state of the target afterwards. `previous` is what applyDeploy
   * replaced.
   */
  rollbackDeploy(input: DeployInput & { previous?: string; newSeq: number }): Promise<DeployedState>;
}
export type AllActivities = ControlActivities & ArchActivities & HostActivities & DeployActivities;
