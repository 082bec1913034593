/**
 * Pipelines that jobs of other pipelines start (`trigger:`): what the two say to each other, and what the end of one means for
 * the job that has started it. Pure. GitLab: doc/ci/pipelines/downstream_pipelines.md, `trigger:strategy` of the keyword page.
 */
import type { Digest, JobKey, PipelineId, ProjectSlug } from './ids.ts';
import type { JobResult } from './outcome.ts';
import type { PipelineState } from './protocol.ts';
import type { SpecVariable } from './spec.ts';
import type { TriggerSource } from './trigger.ts';

/** Without one the job is done as soon as the other pipeline has a plan. */
export type Strategy = 'depend' | 'mirror';

/** Of a trigger: the job that asked for this pipeline. */
export interface Upstream {
  pipeline: PipelineId;
  job: JobKey;
  attempt: number;
  strategy?: Strategy;
  /** Blob: DownstreamConfig. */
  config: Digest;
  /** 1 is a child, 2 the child of a child; 0: it stands in another project. */
  depth: number;
  /** CI_PIPELINE_ID of the pipeline at the head of its family, which children belong to; absent at depth 0. */
  family?: number;
  /** CI_PIPELINE_ID of the pipeline at the head of the whole tree. */
  root: number;
  /** What asked for the head of its family: a newer push supersedes the family's children as well. */
  origin: TriggerSource;
  /** `PROJECT REF SOURCE` of this pipeline and those above it, children left out: a circle shows here. */
  chain: string[];
}

/** What a downstream pipeline is given by the job that starts it. */
export interface DownstreamConfig {
  version: 1;
  /** Of a child: its file, which includes the files that the job names. */
  file?: { name: string; text: string };
  /** Files that are no files of the source, by the name under which `file` includes them. */
  included?: Record<string, string>;
  /** Above all others of the pipeline. Secrets are references. */
  variables: SpecVariable[];
}

/** GitLab: two levels of children. */
export const MAX_DEPTH = 2;
/** GitLab's default for all pipelines of one tree. */
export const MAX_TREE = 1_000;
/** GitLab lets the same project, ref and source stand twice in a chain, so that A may trigger B, which triggers A. */
export const MAX_REPEATS = 2;

/** To the pipeline of the trigger job, from the project and from the pipeline that it has started. */
export interface DownstreamNews {
  job: JobKey;
  attempt: number;
  /**
   * refused: there will be none · started: it has a number · created: it has a plan · state: another one · revived: it had ended
   * and runs on · ended
   */
  what: 'refused' | 'started' | 'created' | 'state' | 'revived' | 'ended';
  pipeline?: PipelineId;
  state?: PipelineState;
  reason?: string;
}

/** The job of another pipeline that takes on the state of this one. */
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

/** What is known after some news; the same object when that is not news. */
export function applyNews(known: DownstreamStatus, news: DownstreamNews): DownstreamStatus {
  const pipeline = known.pipeline ?? news.pipeline;
  if (news.pipeline !== undefined && news.pipeline !== pipeline) return known;
  switch (news.what) {
    case 'started':
      return { ...known, pipeline };
    case 'refused':
      return { ...known, pipeline, reason: news.reason, state: 'failed', ended: true };
    case 'revived':
      return { ...known, pipeline, created: true, ended: false, state: 'running', reason: undefined };
    case 'created':
    case 'state':
      return known.ended ? known : { ...known, pipeline, created: true, state: news.state ?? known.state };
    case 'ended':
      return { ...known, pipeline, ended: true, state: news.state ?? 'failed', reason: news.reason };
  }
}

/** While a mirrored pipeline waits for a person, so does its job. */
export const isBlocked = (known: DownstreamStatus | undefined): boolean =>
  known?.strategy === 'mirror' && !known.ended && known.state === 'manual';

type End = Pick<JobResult, 'outcome' | 'kind' | 'message'>;

/** How the trigger job ends; undefined: it goes on waiting. */
export function endOf(known: DownstreamStatus): End | undefined {
  if (!known.created) return known.ended ? notCreated(known) : undefined;
  if (!known.strategy) return { outcome: 'succeeded' };
  if (!known.ended) return undefined;
  const where = `${known.pipeline ?? known.project}`;
  if (known.state === 'success') return { outcome: 'succeeded' };
  if (known.state === 'canceled') return { outcome: 'cancelled', message: `${where} was cancelled.` };
  if (known.state === 'skipped' && known.strategy === 'mirror')
    return { outcome: 'skipped', message: `${where} was skipped.` };
  const what = known.state === 'skipped' ? 'was skipped' : 'failed';
  return { outcome: 'failed', kind: 'downstream', message: sentence(`${where} ${what}`, known.reason) };
}

/** GitLab: a file with mistakes, or rules that leave no job, and the trigger job fails. */
const notCreated = ({ pipeline, project, reason, state }: DownstreamStatus): End =>
  state === 'canceled'
    ? { outcome: 'cancelled', message: `${pipeline ?? project} was cancelled before it had a plan.` }
    : {
        outcome: 'failed',
        kind: 'downstream',
        message: sentence(`The pipeline ${pipeline ?? `of ${project}`} could not be created`, reason),
      };

/** A reason may be many lines of diagnostics, which stand at the pipeline itself. */
const sentence = (what: string, reason: string | undefined): string =>
  reason === undefined ? `${what}.` : `${what}: ${reason.split('\n', 1)[0]?.slice(0, 500) ?? ''}`;
