import type { Decision } from './decision.ts';
import type { DownstreamStatus } from './downstream.ts';
import type { EnvironmentChange, EnvironmentState } from '../policy/environments.ts';
import type { AttemptRef, Digest, JobKey, PipelineId, ProjectSlug } from './ids.ts';
import type { CrossPipelineArtifact } from './artifacts.ts';
import type { JobResult, Outcome } from './outcome.ts';
import type { JobKind } from './plan.ts';
import type { ProjectMemory } from '../policy/memory.ts';
import type { Trigger } from './trigger.ts';

export { DECISION_CODES, type Decision, type DecisionAnswer, type DecisionCode } from './decision.ts';
/**
 * What processes say to workflows and hear from them: names and payloads only. The server and the workflows both build on
 * this file, so neither imports the other. Payloads stay backward compatible: fields are added, never renamed.
 */
export const WORKFLOWS = { project: 'project', pipeline: 'pipeline' } as const;
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
  /** to project, from pipeline: the key of a trigger job that was cancelled; nothing starts by it any more */
  voidKey: 'voidKey',
  /** to project, from the server: StopEnvironment (environments.ts) */
  stopEnvironment: 'stopEnvironment',
  /** to pipeline, from project: LockGrant */
  lockGranted: 'lockGranted',
  /** to pipeline, from a worker whose job has run for 2 s: JobStarted */
  jobStarted: 'jobStarted',
  /** to pipeline, from people who have Temporal itself: ApproveSignal */
  approve: 'approve',
  /** to pipeline, from project: Decision of a RerunRequest that came when the pipeline was open (again) */
  decide: 'decide',
  /** to pipeline, from the server: Asker; cancels it, as Temporal's own cancel does, and says who */
  cancel: 'cancel',
  /** to pipeline, from a pipeline with a job that mirrors it: Follower */
  follow: 'follow',
  /** to pipeline, from project: Superseded */
  superseded: 'superseded',
  /** to pipeline, from project and from the pipeline that a job of it has started: DownstreamNews */
  downstream: 'downstream',
} as const;
/** Updates of a pipeline; each takes a Decision and answers a DecisionAnswer. */
export const UPDATES = { play: 'play', reject: 'reject', retry: 'retry', cancelJob: 'cancelJob' } as const;
export type UpdateName = keyof typeof UPDATES;
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
  /** of project: number | null, when the oldest trigger that waits in it was received, epoch ms */
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

/** In GitLab's order of evaluation. `compile_error`: the file could not be planned. */
export type PipelineState =
  | 'created'
  | 'running'
  | 'waiting_for_resource'
  | 'manual'
  | 'scheduled'
  | 'success'
  | 'failed'
  | 'canceled'
  | 'skipped'
  | 'config_error';
export const FINAL_STATES: readonly PipelineState[] = [
  'success',
  'failed',
  'canceled',
  'skipped',
  'config_error',
];

/**
 * created: its turn has not come · manual: playable, waits for a person · gate: blocks for a person · scheduled: delayed ·
 * waiting_for_resource: a lock · dispatched: given to a queue (running, or waiting for a worker) · running · stopping ·
 * ended.
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
  /** True when a failure of it only warns. */
  allowedToFail: boolean;
  attempt: number;
  epoch: number;
  jobId: number;
  queue: string;
  /** A kind, not a sentence: `gate`, `manual`, `queue:arm32`, `lock:prod`, `delay`, `needs:JOB`,
   * `downstream:PIPELINE`. */
  waitingFor?: string;
  /** While its gate is open: who may decide (empty: any operator), and until when (epoch ms). */
  gate?: { approvers: readonly string[]; expiresAt: number; missing?: number };
  /** What whoever plays or approves it must confirm. */
  confirmation?: string;
  /** Epoch ms. */
  since: number;
  result?: JobResult;
  /** What it takes of other pipelines: found once, and kept for its retries. */
  given?: CrossPipelineArtifact[];
  /** Of a trigger job: the pipeline of its last attempt. */
  downstream?: DownstreamStatus;
  /** Who decided what about it, in order. */
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
  /** Why it ended as it did, where that is not a job's doing: coded errors of the file, a supersede, a cancel. */
  reason?: string;
  /** The first one who cancelled it as a whole. */
  cancelledBy?: Asker & { at: number };
  startedAt: number;
  endedAt?: number;
  waitingFor: string[];
  /** Of a protected ref: it may have protected variables. */
  protected?: true;
  /** Of a fork. */
  fork?: true;
  /** The job of another pipeline that has started it. */
  upstream?: { pipeline: PipelineId; job: JobKey };
  jobs: JobStatus[];
}

/** Somebody authenticated, as the server has found. */
export interface Asker {
  actor: string;
  role: 'reader' | 'developer' | 'operator';
}
export interface PipelineInput {
  id: PipelineId;
  iid: number;
  number: number; // CI_PIPELINE_ID
  trigger: Trigger;
  order?: number; // place among the project's pipelines where that is not `iid`: its event came after the one that followed it
  /** Given when a closed pipeline runs on: its record, and what to do first. */
  seed?: { record: Digest; decision: Decision };
}
export interface ApproveSignal {
  job: JobKey;
  comment?: string;
  confirm?: boolean;
}
export interface Superseded {
  /** The newer pipeline of the same ref. */
  by: PipelineId;
}
/** Argument of the project workflow: the server gives `project` alone, `memory` is for a run that continues as new. */
export interface ProjectInput {
  project: ProjectSlug;
  memory?: ProjectMemory;
  /** History events after which it continues as new, beside the server's own suggestion. */
  continueAfterEvents?: number;
}
export interface PipelineEnded {
  id: PipelineId;
  runId: string;
  state: PipelineState;
}
export interface LockRequest {
  pipeline: PipelineId;
  workflowId: string;
  runId: string;
  iid: number; // or `order`
  job: JobKey;
  /** `environment:NAME` or `resource:NAME`. */
  resource: string;
  mode: 'unordered' | 'oldest_first' | 'newest_first' | 'newest_ready_first';
  /** A deployment of an older pipeline than the last granted one is refused as outdated. */
  deployment: boolean;
  /** False: the job is in the pipeline, and its turn may come; only the ordered modes look at it. */
  ready: boolean;
}
export interface LockRelease {
  pipeline: PipelineId;
  runId: string;
  job: JobKey;
  resource: string;
  /** True when it has changed the target: later requests of older pipelines are outdated. */
  deployed: boolean;
  /** Present when the job succeeded and has started or stopped this environment. */
  environment?: EnvironmentChange;
}
export interface LockGrant {
  job: JobKey;
  resource: string;
  granted: boolean;
  reason?: 'outdated';
  /** Rises with each grant of the resource: `deploy.seq` at the target. `seq + 1` is kept for this grant's rollback. */
  seq: number;
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
/** Commit of the last event of each ref, by `KIND:REF`. */
export type PushedHeads = Record<string, string>;
export interface ProjectStatus {
  project: ProjectSlug;
  running: PipelineId[];
  locks: { resource: string; holder?: string; waiting: string[] }[];
  environments?: EnvironmentState[];
}
