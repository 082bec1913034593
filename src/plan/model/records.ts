import type { CrossPipelineArtifact } from './artifacts.ts';
import type { Digest, PipelineId, ProjectSlug } from './ids.ts';
import type { PipelineStatus } from './protocol.ts';
import type { Trigger } from './trigger.ts';

/**
 * Names of the small documents in the RecordStore, and their content. Each part of a name is
 * `[A-Za-z0-9._=-]+`, so texts that people chose (an event key, a deployment id) are hashed.
 */
export const COUNTERS = {
  /** CI_PIPELINE_IID */
  iid: (slug: ProjectSlug): string => `iid-${slug}`,
  /** CI_PIPELINE_ID */
  pipelines: 'pipelines',
  /** CI_JOB_ID */
  jobs: 'jobs',
} as const;

/** Counts the pipelines that one pipeline led to, by its CI_PIPELINE_ID. */
export const treeCounter = (root: number): string => `tree-${root}`;

/** `keyHash`: sha256 of the event's key, hex. */
export const claimName = (slug: ProjectSlug, keyHash: string): string => `claims/${slug}/${keyHash}`;
export interface ClaimRecord {
  claimId: string;
  deliveryId: string;
  iid: number;
  number: number;
}

/** What a forge was told about a commit (StatusRecord). `keyHash`: sha256 of the writer's workflow id, hex. */
export const statusRecordName = (slug: ProjectSlug, keyHash: string): string => `statuses/${slug}/${keyHash}`;
/** Why the forge is not told (StatusProblem, or null). */
export const statusProblemName = (slug: ProjectSlug): string => `status-problems/${slug}`;

export const knownProjectName = (slug: ProjectSlug): string => `known-projects/${slug}`;
/** What the forge's events said last about a project. */
export interface KnownProject {
  defaultBranch?: string;
  /** `group/project` */
  path?: string;
  /** Its page. */
  url?: string;
}

/** What a project's forge was last known to protect. The server alone writes it. */
export const FORGE_REFS_PREFIX = 'forge-refs/';
export const forgeRefsRecordName = (slug: ProjectSlug): string => `${FORGE_REFS_PREFIX}${slug}`;
export interface ForgeRefsRecord<Protection = unknown> {
  /** Forge, address and repository that it was read from. */
  place: string;
  protects: Protection;
  /** Epoch ms. */
  readAt: number;
}

/** Tokens of workers that the server has made. The server alone reads and writes it. */
export const WORKER_TOKENS_RECORD = 'worker-tokens/all';
/** What the server knows of its machines. It alone reads and writes it. */
export const FLEET_RECORD = 'fleet/book';
/** Since when messages without a proof do not count. */
export const PROOFS_RECORD = 'proofs/required';
/** Sessions of browsers whose users have logged out: id, and when it would have been over (epoch ms). */
export const ENDED_SESSIONS_RECORD = 'sessions/ended';
export interface EndedSessions {
  ended: [id: string, until: number][];
}
/** Records that no worker reads or writes. */
export const SERVER_ONLY_PREFIXES = [
  'worker-tokens/',
  'proofs/',
  'fleet/',
  'deploy-tokens/',
  'deliveries/',
  'sessions/',
] as const;

export const maskRecordName = (attempt: string): string => `masks/${attempt}`;
export const endRecordName = (attempt: string): string => `ends/${attempt}`;

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

/** What a deployment replaced, written before it is applied. `idHash`: sha256 of the deploy id, hex. */
export const deployRecordName = (target: string, idHash: string): string => `deploys/${target}/${idHash}`;

/**
 * `keyHash`: sha256 of the cache's key, hex. Caches of protected refs are separate: no other ref reads or
 * writes them.
 */
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
 * Artifacts for `needs` of other pipelines. `hash`: sha256 of ref and job, hex; of the job alone below a
 * pipeline. As with caches, artifacts of protected pipelines are separate.
 */
export const artifactRecordPrefix = (
  slug: ProjectSlug,
  area: 'protected' | 'unprotected',
  hash: string,
): string => `given/${slug}/${area}/${hash}`;
/** Padded, so that names sort like numbers: the newest job has the highest CI_JOB_ID, as in GitLab. */
export const artifactRecordName = (prefix: string, jobId: number): string =>
  `${prefix}/${String(jobId).padStart(15, '0')}`;
/** `number`: CI_PIPELINE_ID */
export const artifactsByPipelineName = (number: number, hash: string): string => `given-by/${number}/${hash}`;
export interface ArtifactRecord extends CrossPipelineArtifact {
  /** CI_PIPELINE_ID */
  number: number;
  /** CI_PIPELINE_ID of the pipeline at the head of its family, if that is another one. */
  root?: number;
  /** False: a retry failed, and the artifacts are no longer offered. */
  succeeded: boolean;
}

/** What the reconciler knows about a project's branches and tags. */
export const reconcileRecordName = (slug: ProjectSlug): string => `reconcile/${slug}`;
export interface ReconcileRecord {
  /** Epoch ms, clock of the control worker that looked; 0: it has never seen the repository. */
  at: number;
  /**
   * Full ref names and the commits (for an annotated tag: the tag object) for which all pipelines are known.
   */
  settled: Record<string, string>;
  /** Refs that moved, without a known pipeline yet. */
  pending: Record<string, PendingHead>;
  /** Since when open merge requests are compared, epoch ms; absent: they never were. */
  requestsSince?: number;
  /** The last lost push whose pipeline was started, and when it was found. */
  found?: { ref: string; sha: string; at: number };
  /** Why the last check failed, for people; `at` is then that of the last successful one. */
  problem?: string;
}
export interface PendingHead {
  sha: string;
  /** Epoch ms */
  since: number;
  /** Key of the trigger that was sent for it. */
  key?: string;
}

/** A delivery without a pipeline ([skip ci]). `refHash`: sha256 of the full ref, hex. */
export const skippedRecordName = (slug: ProjectSlug, refHash: string): string => `skipped/${slug}/${refHash}`;
export interface SkippedRecord {
  sha: string;
}

/** What `include: remote` fetched last. `urlHash`: sha256 of the URL, hex. */
export const remoteCopyName = (urlHash: string): string => `includes/remote/${urlHash}`;
export interface RemoteCopy {
  digest: Digest;
  /** Epoch ms of the fetch. */
  at: number;
}

/** Results of a pipeline's external includes: written once, before its plan. */
export const includesRecordName = (id: PipelineId): string =>
  pipelineRecordName(id).replace(/^pipelines\//, 'includes/pipelines/');
export interface IncludesRecord {
  /** Blob with `IncludeAnswers` as JSON. */
  answers: Digest;
  /** Blob with git's results for `changes`, by what was compared with; null: unknown to git. */
  changed?: Digest;
}

/**
 * An approval of this author's fork is remembered, and later pipelines are not asked for. `authorHash`:
 * sha256, hex.
 */
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

/** What a target pulls with. The server alone writes and reads it; it holds no secret. */
export const DEPLOY_TOKENS = 'deploy-tokens/';
/** `place`: of target and repository. `number`: padded; the highest counts. */
export const deployTokenName = (place: string, number: string): string =>
  `${DEPLOY_TOKENS}${place}/${number}`;
export interface DeployTokenRecord {
  id: string;
  /** Whose deployment it was made for. */
  project: ProjectSlug;
  target: string;
  /** Without the registry. */
  repository: string;
  /** Epoch ms. */
  createdAt: number;
  revokedAt?: number;
  revokedBy?: string;
}
