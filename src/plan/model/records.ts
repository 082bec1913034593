import type { CrossPipelineArtifact } from './artifacts.ts';
import type { Digest, PipelineId, ProjectSlug } from './ids.ts';
import type { PipelineStatus } from './protocol.ts';
import type { Trigger } from './trigger.ts';

/**
 * Names of the small documents in the RecordStore, and what stands in them. Each part of a name is `[A-Za-z0-9._=-]+`, so
 * whatever a person chose (an event key, a deployment id) goes in as a hash.
 */
export const COUNTERS = {
  /** CI_PIPELINE_IID */
  iid: (slug: ProjectSlug): string => `iid-${slug}`,
  /** CI_PIPELINE_ID */
  pipelines: 'pipelines',
  /** CI_JOB_ID */
  jobs: 'jobs',
} as const;

/** Counts the pipelines that came of one, by its CI_PIPELINE_ID. */
export const treeCounter = (root: number): string => `tree-${root}`;

/** `keyHash`: sha256 of the event's key, hex. */
export const claimName = (slug: ProjectSlug, keyHash: string): string => `claims/${slug}/${keyHash}`;
export interface ClaimRecord {
  claimId: string;
  deliveryId: string;
  iid: number;
  number: number;
}

export const pipelinesPrefix = (slug: ProjectSlug): string => `pipelines/${slug}`;
/** Padded, so that names sort as numbers do. */
export const pipelineRecordName = (id: PipelineId): string => {
  const cut = id.lastIndexOf('/');
  return `pipelines/${id.slice(0, cut)}/${id.slice(cut + 1).padStart(8, '0')}`;
};
/** What lists show of a pipeline. */
export type PipelineSummary = Pick<
  PipelineStatus,
  | 'id'
  | 'number'
  | 'project'
  | 'ref'
  | 'sha'
  | 'title'
  | 'source'
  | 'state'
  | 'startedAt'
  | 'endedAt'
  | 'waitingFor'
>;
export const summaryOf = (status: PipelineStatus): PipelineSummary => ({
  id: status.id,
  number: status.number,
  project: status.project,
  ref: status.ref,
  sha: status.sha,
  title: status.title,
  source: status.source,
  state: status.state,
  startedAt: status.startedAt,
  endedAt: status.endedAt,
  waitingFor: status.waitingFor,
});

/** Written to the store when a pipeline run ends; outlives Temporal's retention. */
export interface PipelineRecord {
  version: 1;
  status: PipelineStatus;
  trigger: Trigger;
  order?: number;
  plan?: Digest;
}
/** The newest record of an ended pipeline, and what lists show without reading it. */
export interface PipelineEntry {
  record: `sha256:${string}`;
  summary: PipelineSummary;
}

/** `idHash`: sha256 of the deploy id, hex. What a deployment replaced, written before it is applied. */
export const deployRecordName = (target: string, idHash: string): string => `deploys/${target}/${idHash}`;

/** `keyHash`: sha256 of the cache's key, hex. Caches of protected refs are kept apart: no other ref reads or writes them. */
export const cacheRecordName = (
  slug: ProjectSlug,
  area: 'protected' | 'unprotected',
  keyHash: string,
): string => `caches/${slug}/${area}/${keyHash}`;
/** The newest content of a cache. */
export interface CacheRecord {
  digest: Digest;
  bytes: number;
  /** Epoch ms. */
  at: number;
}

/**
 * What jobs gave, for `needs` of other pipelines. `hash`: sha256 of ref and job, hex, of job alone below a pipeline. As with
 * caches, what comes from protected pipelines is kept apart.
 */
export const artifactRecordPrefix = (
  slug: ProjectSlug,
  area: 'protected' | 'unprotected',
  hash: string,
): string => `given/${slug}/${area}/${hash}`;
/** Padded, so that names sort as numbers do: the newest job is the one with the highest CI_JOB_ID, as at GitLab. */
export const artifactRecordName = (prefix: string, jobId: number): string =>
  `${prefix}/${String(jobId).padStart(15, '0')}`;
/** `number`: CI_PIPELINE_ID */
export const artifactsByPipelineName = (number: number, hash: string): string => `given-by/${number}/${hash}`;
export interface ArtifactRecord extends CrossPipelineArtifact {
  /** CI_PIPELINE_ID */
  number: number;
  /** Of the pipeline at the head of its family, where that is another. */
  root?: number;
  /** False: a try again failed, and nothing is given any more. */
  succeeded: boolean;
}

/** What the reconciler knows of a project's branches and tags. */
export const reconcileRecordName = (slug: ProjectSlug): string => `reconcile/${slug}`;
export interface ReconcileRecord {
  /** Epoch ms, clock of the control worker that looked; 0: it has never seen the repository. */
  at: number;
  /** Full ref names and what they stood at when all was known about them. Of an annotated tag: the tag itself. */
  settled: Record<string, string>;
  /** Refs that moved and of which no run is known yet. */
  pending: Record<string, PendingHead>;
  /** The last lost push whose pipeline was started; when it was seen. */
  found?: { ref: string; sha: string; at: number };
  /** Why the last look failed, for people; `at` is then of the last that did not. */
  problem?: string;
}
export interface PendingHead {
  sha: string;
  /** Epoch ms */
  since: number;
  /** Key of the trigger that was sent for it. */
  key?: string;
}

/** `refHash`: sha256 of the full ref, hex. A delivery that came and asked for no pipeline ([skip ci]). */
export const skippedRecordName = (slug: ProjectSlug, refHash: string): string => `skipped/${slug}/${refHash}`;
export interface SkippedRecord {
  sha: string;
}

/** `urlHash`: sha256 of the address, hex. What `include: remote` fetched last. */
export const remoteCopyName = (urlHash: string): string => `includes/remote/${urlHash}`;
export interface RemoteCopy {
  digest: Digest;
  /** Epoch ms of the fetch. */
  at: number;
}

/** What was answered from elsewhere while a pipeline was put together: written once, before its plan. */
export const includesRecordName = (id: PipelineId): string =>
  pipelineRecordName(id).replace(/^pipelines\//, 'includes/pipelines/');
export interface IncludesRecord {
  /** Blob with `IncludeAnswers` as JSON. */
  answers: Digest;
  /** Blob with git's answers for `changes`, by what was compared with; null: git does not know that. */
  changed?: Digest;
}

/** A person has said that pipelines of this author's fork need not be asked for again. `authorHash`: sha256, hex. */
export const forkAuthorRecordName = (project: ProjectSlug, authorHash: string): string =>
  `fork-authors/${project}/${authorHash}`;
export interface ForkAuthorRecord {
  by: string;
  /** Epoch ms. */
  at: number;
}

/** A service at a target that was taken over for a project. `serviceHash`: sha256, hex. */
export const adoptionRecordName = (target: string, serviceHash: string): string =>
  `adoptions/${target}/${serviceHash}`;
export interface AdoptionRecord {
  service: string;
  project: ProjectSlug;
  deployId: string;
  /** The project whose service it was; null: not davit's. */
  from: ProjectSlug | null;
  /** Epoch ms. */
  at: number;
}
