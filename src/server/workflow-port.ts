/** The interface of the server to Temporal; `temporal/temporal.ts` implements it. */
import type { StopEnvironment, StopRef } from '../plan/model/environments.ts';
import type { PipelineId, ProjectSlug } from '../plan/model/ids.ts';
import type { DeletedRef } from '../plan/model/project-memory.ts';
import type {
  Asker,
  Decision,
  DecisionAnswer,
  KeyLookup,
  PipelineStatus,
  ProjectStatus,
  RerunRequest,
} from '../plan/model/protocol.ts';
import type { Trigger } from '../plan/model/trigger.ts';

/** An activity that has not ended. */
export interface PendingJob {
  activityId: string;
  /** False if it waits on its queue. */
  started: boolean;
  /** A worker has it, perhaps to end it. */
  taken?: boolean;
  /** Name of the activity. */
  type?: string;
  /** The identity of the worker that has it. */
  identity?: string;
}
export interface ListedPipeline {
  id: PipelineId;
  open: boolean;
  /** Epoch ms. */
  startedAt: number;
  endedAt?: number;
  ref: string;
  sha: string;
  state: string;
  waitingFor: string[];
}

/**
 * Every call rejects with `temporal/unreachable` if Temporal does not respond, and with `pipeline/no-answer`
 * if Temporal responds but no worker runs the workflow. Undefined: unknown to Temporal, or past its
 * retention.
 */
export interface Workflows {
  /** Durable when it resolves; needs no worker. */
  trigger(trigger: Trigger, deadlineMs: number): Promise<void>;
  /** Durable when it resolves; needs no worker. */
  refDeleted(project: ProjectSlug, deleted: DeletedRef, deadlineMs: number): Promise<void>;
  /** Durable when it resolves; needs no worker. */
  stopRef(project: ProjectSlug, stop: StopRef, deadlineMs: number): Promise<void>;
  rerun(project: ProjectSlug, request: RerunRequest): Promise<void>;
  stopEnvironment(project: ProjectSlug, stop: StopEnvironment): Promise<void>;
  /** `closed`: the pipeline's workflow is not open. */
  decide(id: PipelineId, decision: Decision): Promise<DecisionAnswer | 'closed'>;
  /** Cancels, and does not terminate: the pipeline cleans up. */
  cancel(id: PipelineId, by: Asker): Promise<'accepted' | 'closed'>;
  /** Needs no worker. */
  describe(id: PipelineId): Promise<{ open: boolean; runId?: string; pending: PendingJob[] } | undefined>;
  status(id: PipelineId): Promise<PipelineStatus | undefined>;
  project(slug: ProjectSlug): Promise<ProjectStatus | undefined>;
  lookup(slug: ProjectSlug, key: string): Promise<KeyLookup | undefined>;
  /** Newest first. */
  list(filter: { project?: ProjectSlug; limit: number }): Promise<ListedPipeline[]>;
  /** Start (epoch ms) of the oldest open pipeline or waiting trigger; undefined if there is neither. */
  oldestOpen(): Promise<number | undefined>;
  healthy(): Promise<boolean>;
}
