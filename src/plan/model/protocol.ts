import type { StatusCause } from './commit-status.ts';
import type { Decision } from './decision.ts';
import type { DownstreamStatus } from './downstream.ts';
import type { EnvironmentState } from './environments.ts';
import type { AttemptRef, Digest, JobKey, PipelineId, ProjectSlug } from './ids.ts';
import type { CrossPipelineArtifact } from './artifacts.ts';
import type { JobResult, Outcome } from './outcome.ts';
import type { JobKind } from './plan.ts';
import type { PipelineState } from './pipeline-state.ts';
import type { DecisionProof, Proof } from './proof.ts';
import type { Trigger } from './trigger.ts';

export {
  DECISION_CODES,
  UPDATES,
  type Decision,
  type DecisionAnswer,
  type DecisionCode,
  type UpdateName,
} from './decision.ts';
export { FINAL_STATES, type PipelineState } from './pipeline-state.ts';

/**
 * Messages between processes and workflows: names and payloads only. The server and the workflows both depend
 * on this file, so neither imports the other. Payloads stay backward compatible: fields are added, never
 * renamed.
 */
export const WORKFLOWS = { project: 'project', pipeline: 'pipeline', status: 'status' } as const;
export const SIGNALS = {
  /** to project: Trigger */
  trigger: 'trigger',
  /** to project, from pipeline: PipelineEnded */
  pipelineEnded: 'pipelineEnded',
  /** to project, from pipeline: LockRequest / LockRelease */
  lockRequest: 'lockRequest',
  lockRelease: 'lockRelease',
  /** to project, from the server: RerunRequest, for a pipeline that is closed */
  rerun: 'rerun',
  /** to project, from pipeline: the key of a cancelled trigger job; no pipeline starts with it any more */
  voidKey: 'voidKey',
  /** to project, from the server: DeletedRef (project-memory.ts) */
  refDeleted: 'refDeleted',
  /** to project, from the server: StopEnvironment (environments.ts) */
  stopEnvironment: 'stopEnvironment',
  /** to project, from the server: StopRef (environments.ts) */
  stopRef: 'stopRef',
  /** to pipeline, from project: LockGrant */
  lockGranted: 'lockGranted',
  /** to pipeline, from a worker whose job has run for 2 s: JobStarted */
  jobStarted: 'jobStarted',
  /** to pipeline, from people with access to Temporal itself: ApproveSignal */
  approve: 'approve',
  /**
   * to pipeline, from project: Decision of a RerunRequest that arrived while the pipeline was open (again)
   */
  decide: 'decide',
  /** to pipeline, from the server: Asker; cancels it as Temporal's own cancel does, and records the person */
  cancel: 'cancel',
  /** to pipeline, from a pipeline with a job that mirrors it: Follower */
  follow: 'follow',
  /** to pipeline, from project: Superseded */
  superseded: 'superseded',
  /** to pipeline, from project and from a downstream pipeline: DownstreamNews */
  downstream: 'downstream',
  /** to the writer of a commit's status, from an activity: StatusWrite (commit-status.ts) */
  report: 'report',
} as const;
export const QUERIES = {
  /** of pipeline: PipelineStatus */
  status: 'status',
  /** of project: ProjectStatus */
  project: 'project',
  /** of project, argument key: KeyLookup */
  lookup: 'lookup',
  /** of project, argument branch: PipelineId | null, its newest pipeline */
  newest: 'newest',
  /** of project: PushedHeads */
  pushed: 'pushed',
  /** of project: number | null, when its oldest waiting trigger was received, epoch ms */
  waitingSince: 'waitingSince',
} as const;

/** Search attributes, all registered by davit. WaitingFor is a KeywordList, the rest are Keywords. */
export const SEARCH_ATTRIBUTES = {
  project: 'DavitProject',
  ref: 'DavitRef',
  sha: 'DavitSha',
  state: 'DavitState',
  waitingFor: 'DavitWaitingFor',
} as const;

/**
 * created: its turn has not come · manual: playable, waits for a person · gate: blocks until a decision ·
 * scheduled: delayed · waiting_for_resource: a lock · dispatched: in a queue (running, or waiting for a
 * worker) · running · stopping · ended.
 */
export type JobPhase =
  | 'created'
  | 'manual'
  | 'gate'
  | 'scheduled'
  | 'waiting_for_resource'
  | 'dispatched'
  | 'running'
  | 'stopping'
  | 'ended';

export interface JobStatus {
  key: JobKey;
  stage: string;
  kind: JobKind;
  phase: JobPhase;
  outcome?: Outcome;
  /** Its failure only warns. */
  allowedToFail: boolean;
  attempt: number;
  epoch: number;
  /** Counts the decisions that took effect, and the job's new beginnings: a decision is about one turn. */
  turn?: number;
  jobId: number;
  queue: string;
  /** The job's tags; absent: none, or a pipeline of an earlier version. */
  tags?: readonly string[];
  /** A kind, not a sentence: `gate`, `manual`, `queue:arm32`, `lock:prod`, `delay`, `needs:JOB`,
   * `downstream:PIPELINE`. */
  waitingFor?: string;
  /** Why no worker has taken it, for people. Only in what the server answers. */
  waitNote?: string;
  /** While its gate is open: approvers (empty: any operator), and the end of the wait (epoch ms). */
  gate?: { approvers: readonly string[]; expiresAt: number; missing?: number };
  /** Text that the person who plays or approves it must confirm. */
  confirmation?: string;
  /** Epoch ms. */
  since: number;
  result?: JobResult;
  /** Artifacts of other pipelines: looked up once, and kept for its retries. */
  given?: CrossPipelineArtifact[];
  /** For a trigger job: the pipeline of its last attempt. */
  downstream?: DownstreamStatus;
  /** Decisions about it, in order. */
  decisions: Decision[];
}
export interface PipelineStatus {
  id: PipelineId;
  number: number;
  project: ProjectSlug;
  ref: string;
  sha: string;
  title: string;
  source: string;
  state: PipelineState;
  warnings: string[];
  /** Why it ended as it did, if no job is the cause: coded errors of the file, a supersede, a cancel. */
  reason?: string;
  /** What `reason` is about, if it is not the pipeline file. */
  cause?: StatusCause;
  /** The first person who cancelled it as a whole. */
  cancelledBy?: Asker & { at: number };
  startedAt: number;
  endedAt?: number;
  waitingFor: string[];
  /** Its plan, once it has one. */
  plan?: Digest;
  /** For a protected ref: it may have protected variables. */
  protected?: true;
  /** For a fork. */
  fork?: true;
  /** The job of another pipeline that started it. */
  upstream?: { pipeline: PipelineId; job: JobKey };
  jobs: JobStatus[];
}

/** An authenticated person, as identified by the server. */
export interface Asker {
  actor: string;
  role: 'reader' | 'developer' | 'operator';
  /** Set by the server, for a cancel. */
  proof?: Proof;
}
export interface PipelineInput {
  id: PipelineId;
  iid: number;
  number: number; // CI_PIPELINE_ID
  trigger: Trigger;
  /** Place among the project's pipelines if that is not `iid`: its event arrived after a later one. */
  order?: number;
  /** For a closed pipeline that is rerun: its record, and what to do first. */
  seed?: { record: Digest; decision: Decision };
}
export interface ApproveSignal {
  job: JobKey;
  comment?: string;
  confirm?: boolean;
  /** Name of a key under `approval_keys` of the installation file, and its signature. */
  by?: string;
  proof?: DecisionProof;
}
export interface Superseded {
  /** The newer pipeline of the same ref. */
  by: PipelineId;
}
export interface PipelineEnded {
  id: PipelineId;
  runId: string;
  state: PipelineState;
}
export interface JobStarted {
  ref: AttemptRef;
  host: string;
  at: number;
}
export interface RerunRequest {
  pipeline: PipelineId;
  decision: Decision;
}
export interface KeyLookup {
  pipeline?: PipelineId;
  state: 'unknown' | 'queued' | 'started' | 'duplicate' | 'refused';
  message?: string;
}
/**
 * What a workflow tells the server beside its history, so that the server need not ask again and again. It is a
 * hint, not a fact: what is told may not be in the history yet, so the server asks the workflow.
 */
export type Change =
  | {
      pipeline: PipelineId;
      /** It has a verdict. */
      over: boolean;
    }
  /** The project has decided about the event with this key. */
  | { project: ProjectSlug; key: string };
/** Commit of the last event of each ref, by `KIND:REF`. */
export type PushedHeads = Record<string, string>;
export interface ProjectStatus {
  project: ProjectSlug;
  running: PipelineId[];
  locks: { resource: string; holder?: string; waiting: string[] }[];
  environments?: EnvironmentState[];
}

/**
 * Error of a worker that may not answer a query yet (`workflows/interceptors.ts`): the client repeats the
 * query.
 */
export const QUERY_NOT_READY = 'This worker may not answer yet: ask again.';
/** Header of a query to a closed workflow: it gets no further task, so any worker may answer. */
export const QUERY_CLOSED = 'davit-closed';
