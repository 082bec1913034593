/** What a pipeline says to the forge about its commit, and the workflow that writes it there. */
import type { PipelineId, ProjectSlug } from './ids.ts';
import type { PipelineState } from './pipeline-state.ts';

/** A commit has one status of each kind: pipelines of different kinds do not replace each other's. */
export type StatusKind = 'push' | 'tag' | 'mr';
/**
 * Orders reports of one commit and context: place of the pipeline in its project, epoch ms, and a count within the
 * pipeline. The last one stands.
 */
export type ReportPlace = readonly [order: number, at: number, count: number];

/** Input of `reportCommitStatus`. */
export interface StatusReport {
  project: ProjectSlug;
  id: PipelineId;
  sha: string;
  ref: string;
  state: PipelineState;
  fork?: boolean;
  /** The last three are absent in a report of an earlier version. */
  kind?: StatusKind;
  place?: ReportPlace;
  cause?: StatusCause;
}
/** Why a pipeline has no plan, if it is not its file. */
export type StatusCause = 'source';

/** Signal to the writer of one commit and context. */
export interface StatusWrite extends StatusReport {
  place: ReportPlace;
  context: string;
}
/** Argument of the writer; `latest` where it continues as new. */
export interface StatusInput {
  latest?: StatusWrite;
}

/** What the forge was told last. */
export interface StatusRecord {
  place: ReportPlace;
  pipeline: PipelineId;
  /** As this forge names it; absent: it was told nothing about this pipeline. */
  told?: string;
}
/** Why a project's statuses do not reach the forge; null once they do again. */
export interface StatusProblem {
  code: string;
  /** For a person. */
  reason: string;
  pipeline: PipelineId;
  /** Epoch ms. */
  since: number;
}
