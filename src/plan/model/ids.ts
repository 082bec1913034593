/**
 * Identifiers that all parts of davit share. Plain JSON values with types of their own, so that a digest is
 * never mistaken for a tag, nor a job's key for a task queue.
 */

/** The architectures davit has queues for. `arm32` is linux/arm, v6 unless a worker declares v7. */
export const ARCHES = ['arm32', 'arm64', 'amd64'] as const;
export type Arch = (typeof ARCHES)[number];

/** Content address of a blob, an image manifest or an index (OCI image spec, "Digests"). */
export type Digest = `sha256:${string}`;

/** Lower-case name of a project, `[a-z0-9][a-z0-9._-]*`; part of workflow ids, paths and container names. */
export type ProjectSlug = string;

/** Name of a pipeline: `SLUG/IID`. Its workflow id is `pipeline/SLUG/IID`. */
export type PipelineId = `${string}/${number}`;

/** A job's name, unique in its pipeline; a matrix job carries its values: `build: [arm64]`. */
export type JobKey = string;

/**
 * One dispatch of one attempt of a job. Attempts are numbered across retries; `epoch` numbers the dispatches
 * of one.
 */
export interface AttemptRef {
  pipeline: PipelineId;
  job: JobKey;
  /** CI_JOB_ID: a number unique in the installation. */
  jobId: number;
  /** 1 is the first run. */
  attempt: number;
  /**
   * 1 is `runJob`; each `resumeJob` adds one. Every external write carries it, and a lower one is refused.
   */
  epoch: number;
}

const DIGEST = /^sha256:[0-9a-f]{64}$/;
const SLUG = /^[a-z0-9][a-z0-9._-]{0,62}$/;

export const isDigest = (text: string): text is Digest => DIGEST.test(text);
export const isSlug = (text: string): text is ProjectSlug => SLUG.test(text);
export const isArch = (text: string): text is Arch => (ARCHES as readonly string[]).includes(text);

export const pipelineId = (slug: ProjectSlug, iid: number): PipelineId => `${slug}/${iid}`;
export const pipelineWorkflowId = (id: PipelineId): string => `pipeline/${id}`;
export const projectWorkflowId = (slug: ProjectSlug): string => `project/${slug}`;
/** The writer of one status of one commit; `more` where the forge keeps one for each ref. */
export const statusWorkflowId = (slug: ProjectSlug, sha: string, context: string, more = ''): string =>
  `status/${slug}/${sha}/${context}${more}`;

/**
 * Activity id `JOB/ATTEMPT/EPOCH`: unique for every dispatch, because calls by id do not check the attempt.
 */
export const activityId = (ref: Pick<AttemptRef, 'job' | 'attempt' | 'epoch'>): string =>
  `${ref.job}/${ref.attempt}/${ref.epoch}`;

/** The reverse of `activityId`; undefined for an activity that does not belong to a job. */
export function parseActivityId(id: string): Pick<AttemptRef, 'job' | 'attempt' | 'epoch'> | undefined {
  const found = /^(.+)\/(\d+)\/(\d+)$/s.exec(id);
  if (!found?.[1]) return undefined;
  return { job: found[1], attempt: Number(found[2]), epoch: Number(found[3]) };
}

/** Splits `SLUG/IID`; undefined if the text has another form. */
export function parsePipelineId(text: string): { slug: ProjectSlug; iid: number } | undefined {
  const found = /^([a-z0-9][a-z0-9._-]*)\/([1-9]\d*)$/.exec(text);
  if (!found?.[1] || !isSlug(found[1])) return undefined;
  return { slug: found[1], iid: Number(found[2]) };
}
