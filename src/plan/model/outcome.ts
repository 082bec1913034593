/** How a job ended, and why: retries, compensations and exit codes depend on it. */
import type { Digest, PipelineId } from './ids.ts';

/**
 * succeeded · failed (the user's script or test) · errored (davit or a host) · cancelled · skipped · expired
 * (a gate's or a queue's deadline).
 */
export type Outcome = 'succeeded' | 'failed' | 'errored' | 'cancelled' | 'skipped' | 'expired';

/** Failure kinds; `docs/language/failures.md` maps each to GitLab's `retry:when` reasons. */
export const FAILURE_KINDS = [
  'script', // the user's script, test or Dockerfile ended non-zero
  'timeout', // the job's own timeout
  'out_of_memory', // the kernel ended it for memory
  'image_pull', // the image does not exist or may not be pulled
  'registry', // a registry refused or did not respond
  'artifact', // artifacts or source could not be moved, or are too large
  'readiness', // a service or tested container never became ready
  'no_space', // a disk is full
  'engine', // the container engine failed or restarted
  'host_lost', // the host was away for longer than its grace period
  'no_worker', // no worker took the job before its deadline
  'missing_dependency', // an artifact or image of a needed job is gone
  'rollout', // the target did not converge; rolled back
  'outdated', // a newer pipeline has deployed already
  'approval', // an approval did not count any more when the job began; it asks again
  'rejected', // a person rejected it
  'expired', // no decision in time
  'downstream', // the pipeline that a trigger job started failed, or could not be started
  'config', // the spec cannot be run (found only at run time)
  'internal', // a defect of davit
] as const;
export type FailureKind = (typeof FAILURE_KINDS)[number];

/** Log of one attempt, as the log store has it when the job ended. */
export interface LogSummary {
  bytes: number;
  /** CRC-32 of all bytes, hex. */
  crc: string;
  complete: boolean;
}

/** A CRC-32 as a summary has it: 8 hex digits. */
export const crcText = (crc: number): string => (crc >>> 0).toString(16).padStart(8, '0');

/** An image of one architecture that a build job pushed. */
export interface BuiltImage {
  /** `REGISTRY/REPOSITORY`, no tag. */
  repository: string;
  digest: Digest;
  platform: Platform;
  sizeBytes: number;
}
export interface Platform {
  os: 'linux';
  architecture: 'arm' | 'arm64' | 'amd64';
  variant?: 'v6' | 'v7' | 'v8';
}

/**
 * What one attempt of a job left behind. Goes through workflow history: no log line, no secret, no script in
 * it.
 */
export interface JobResult {
  outcome: Outcome;
  kind?: FailureKind;
  /** For a person, one or two sentences, secrets masked. */
  message?: string;
  exitCode?: number;
  host?: string;
  /** Epoch ms. */
  startedAt?: number;
  endedAt?: number;
  /** False if no container was ever started: such an errored attempt is retried automatically. */
  started: boolean;
  artifacts?: ArtifactRef;
  /** Report files, dotenv left out. */
  reports?: ArtifactRef;
  /** Test coverage found in its log, in percent. */
  coverage?: number;
  /** Totals of its JUnit reports. */
  tests?: TestSummary;
  /** Blob of the dotenv report: JSON object of names to values. */
  dotenv?: Digest;
  image?: BuiltImage;
  /** The multi-arch index a push job wrote. */
  index?: PushedIndex;
  deployed?: DeployedState;
  /** URL of the job's environment, if its own dotenv report completes it. */
  environmentUrl?: string;
  /** Blob: text of the file that `release: description` names. */
  releaseNotes?: Digest;
  release?: { tag: string; url?: string };
  /** It was refused, and would be refused again: a step after the script, or a deployment of no image. */
  refused?: true;
  /** The site that it has published. */
  pages?: { url: string };
  log?: LogSummary;
  warnings?: string[];
}
export type ArtifactAccess = 'developer' | 'operator' | 'nobody';
export interface ArtifactRef {
  digest: Digest;
  bytes: number;
  files: number;
  /** Epoch ms; absent means kept. */
  expiresAt?: number;
  /** Who may download it; any reader when absent. Jobs get it in any case. */
  access?: ArtifactAccess;
  /** Title under which people see it. */
  exposeAs?: string;
}
/** A test with several results counts as the first one in its report. */
export interface TestSummary {
  total: number;
  failed: number;
  errored: number;
  skipped: number;
}
export interface PushedIndex {
  repository: string;
  digest: Digest;
  tags: string[];
  platforms: { platform: Platform; digest: Digest }[];
}
export interface DeployedState {
  target: string;
  service: string;
  deployId: string;
  seq: number;
  /** What stands there; empty: nothing. */
  image: string;
  state: 'converged' | 'rolled_back' | 'unknown' | 'unchanged';
  /** After a rollback: the pipeline that had deployed what stands there now, if davit did. */
  pipeline?: PipelineId;
}

/** Types of the ApplicationFailures an activity may throw (described in `activities/contract.ts`). */
export const FAILURE_TYPES = {
  workerLost: 'Detached',
  requeue: 'HandedBack',
  superseded: 'Replaced',
} as const;
/** Details of `Detached`. */
export interface DetachedDetails {
  host: string;
}

/** `12 tests: 1 failed, 2 skipped` */
export function testsText({ total, failed, errored, skipped }: TestSummary): string {
  const parts = [
    [failed, 'failed'],
    [errored, 'errored'],
    [skipped, 'skipped'],
  ] as const;
  const bad = parts.filter(([count]) => count > 0).map(([count, word]) => `${count} ${word}`);
  return `${total} ${total === 1 ? 'test' : 'tests'}: ${bad.length > 0 ? bad.join(', ') : 'all passed'}`;
}
