/** What a project knows about its environments, and how jobs and people change them. */
import type { JobKey, PipelineId } from './ids.ts';
import type { Proof } from './proof.ts';

export interface EnvironmentState {
  name: string;
  state: 'available' | 'stopping' | 'stopped';
  /** Pipeline of the last deployment. */
  pipeline: PipelineId;
  job: JobKey;
  /** `KIND:REF` of that pipeline; absent for a deployment from before this field. */
  ref?: string;
  /** Job of that pipeline that stops it; without one, nothing runs when it is stopped. */
  onStop?: JobKey;
  /** That job has `when: always`, so the environment belongs to this pipeline and is stopped with it. */
  withPipeline?: boolean;
  /** When to stop it, or to repeat the request, epoch ms; absent: never by itself. */
  stopAt?: number;
  /** Requests to the pipeline so far. */
  tries?: number;
  url?: string;
  tier?: string;
  /** Epoch ms. */
  since: number;
  /** The person who requested the present stop. */
  stoppedBy?: string;
}
/** What a job did to its environment; sent to the project with the release of the lock. */
export interface EnvironmentChange {
  action: 'start' | 'stop';
  onStop?: JobKey;
  withPipeline?: boolean;
  autoStopInMs?: number;
  url?: string;
  tier?: string;
}

/**
 * A branch or merge request is gone: what was deployed from it until then is stopped, if a job stops it. As in GitLab,
 * a branch is gone when it is deleted, a merge request when it is closed or merged.
 */
export interface StopRef {
  refKind: 'branch' | 'merge_request';
  /** As in triggers: `feature`, `refs/pull/3/head`. */
  ref: string;
  /** When the forge's event arrived, epoch ms: later deployments stay. */
  at: number;
  /** Set by the server. */
  proof?: Proof;
}

/** Stops an environment as `auto_stop_in` would. */
export interface StopEnvironment {
  name: string;
  actor: string;
  /** When the environment that is to be stopped was deployed, epoch ms. */
  since?: number;
  /** Set by the server. */
  proof?: Proof;
}
