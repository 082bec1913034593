/**
 * Downstream pipelines (`trigger:`): the messages between them and the jobs that start them. GitLab:
 * doc/ci/pipelines/downstream_pipelines.md, `trigger:strategy` of the keyword page.
 */
import type { JobKey, PipelineId, ProjectSlug } from './ids.ts';
import type { PipelineState } from './pipeline-state.ts';
import type { SpecVariable } from './spec.ts';
import type { Strategy } from './strategy.ts';
import type { Upstream } from './trigger.ts';

/** The input of a downstream pipeline from the job that starts it. */
export interface DownstreamConfig {
  version: 1;
  /** For a child: its file, which includes the files that the job names. */
  file?: { name: string; text: string };
  /** Files that are not in the source, by the name under which `file` includes them. */
  included?: Record<string, string>;
  /** They override all others of the pipeline. Secrets are references. */
  variables: SpecVariable[];
}

/** GitLab: two levels of children. */
export const MAX_DEPTH = 2;
/** GitLab's default for all pipelines of one tree. */
export const MAX_TREE = 1_000;
/**
 * GitLab allows the same project, ref and source twice in a chain, so that A may trigger B, which triggers A.
 */
export const MAX_REPEATS = 2;

/** To the pipeline of the trigger job, from the project and from the pipeline that it has started. */
export interface DownstreamNews {
  job: JobKey;
  attempt: number;
  /**
   * refused: it will not start · started: it has a number · created: it has a plan · state: that has changed
   * · revived: it had ended and runs again · ended
   */
  what: 'refused' | 'started' | 'created' | 'state' | 'revived' | 'ended';
  pipeline?: PipelineId;
  state?: PipelineState;
  reason?: string;
}

/** The job of another pipeline that mirrors the state of this one. */
export type Follower = Pick<Upstream, 'pipeline' | 'job' | 'attempt'>;

/** As people see it at the trigger job. */
export interface DownstreamStatus {
  project: ProjectSlug;
  pipeline?: PipelineId;
  state?: PipelineState;
  reason?: string;
  /** It has a plan: without a strategy the job is done. */
  created: boolean;
  ended: boolean;
  strategy?: Strategy;
}
