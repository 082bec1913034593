/** Locks of a project: environments and resource groups. What jobs request, and what the project keeps. */
import type { EnvironmentChange } from './environments.ts';
import type { JobKey, PipelineId } from './ids.ts';

export interface LockRequest {
  pipeline: PipelineId;
  workflowId: string;
  runId: string;
  iid: number; // or `order`
  job: JobKey;
  /** `environment:NAME` or `resource:NAME`. */
  resource: string;
  mode: 'unordered' | 'oldest_first' | 'newest_first' | 'newest_ready_first';
  /** A deployment of an older pipeline than the last granted one is refused as outdated, unless it is `asked` for. */
  deployment: boolean;
  /** A person has asked to run this job again: it may deploy over a newer pipeline, as a rollback. */
  asked?: true;
  /** False: the job is in the pipeline, and its turn may come; only the ordered modes consider it. */
  ready: boolean;
}
export interface LockRelease {
  pipeline: PipelineId;
  runId: string;
  job: JobKey;
  resource: string;
  /** The job has changed the target: later requests of older pipelines are outdated. */
  deployed: boolean;
  /** Present if the job succeeded and started or stopped this environment. */
  environment?: EnvironmentChange;
}
export interface LockGrant {
  job: JobKey;
  resource: string;
  granted: boolean;
  reason?: 'outdated';
  /**
   * Rises with each grant of the resource: `deploy.seq` at the target. `seq + 1` is reserved for this grant's
   * rollback.
   */
  seq: number;
}
export interface LockState {
  resource: string;
  seq: number;
  /** Highest iid of a pipeline that has changed the target. */
  newest: number;
  holder?: LockRequest;
  /** The holder's grant, to repeat when it asks again. */
  granted?: LockGrant;
  /** In order of arrival, with jobs that are only announced (`ready` false). */
  waiting: LockRequest[];
}
