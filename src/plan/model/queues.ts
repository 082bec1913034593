import type { MachineReport } from './fleet.ts';
import { isArch, type Arch } from './ids.ts';
import { storable } from './text.ts';

/** Task queues of an installation. A queue is the unit of scaling: more hosts poll the same names. */
export const CONTROL_QUEUE = 'control';
export const hostQueue = (hostId: string): string => `host-${hostId}`;
const DEPLOY = 'deploy-';
export const deployQueue = (target: string): string => `${DEPLOY}${target}`;
/** Undefined for another queue. */
export const deployTargetOf = (queue: string): string | undefined =>
  queue.startsWith(DEPLOY) ? queue.slice(DEPLOY.length) : undefined;
export const tagQueue = (tag: string): string => (isArch(tag) ? tag : `tag-${sendable(tag)}`);

const FORKS = 'forks-';
/** Queue of jobs of forks, polled by workers that accept them. */
export const forkQueue = (queue: string): string => `${FORKS}${queue}`;
/** Architecture of the jobs of a queue; undefined where the queue does not tell it. */
export function archOfQueue(queue: string): Arch | undefined {
  const name = queue.startsWith(FORKS) ? queue.slice(FORKS.length) : queue;
  return isArch(name) ? name : undefined;
}

/** Maximum length of the name of a job or a tag, as in GitLab. Temporal accepts 1,000 bytes. */
export const NAME_CHARS = 255;
/** Why Temporal or PostgreSQL would not accept a name; undefined if they do. */
export function nameProblem(name: string, chars = NAME_CHARS): string | undefined {
  if (name.length > chars) return `is longer than ${chars} characters`;
  if (name.includes('\0')) return 'contains a NUL character';
  return name.isWellFormed() ? undefined : 'contains an unpaired surrogate';
}
/** A variable may expand to anything, and a message that cannot be decoded ends the worker that sends it. */
const sendable = (name: string): string => storable(name).slice(0, NAME_CHARS).toWellFormed();

/** What the server knows about one worker; workers report themselves. */
export interface WorkerReport extends MachineReport {
  id: string;
  hostId: string;
  hostName: string;
  arches: Arch[];
  /** Architectures that it emulates. */
  emulated: Arch[];
  tags: string[];
  /** Deploy targets. */
  targets: string[];
  /** Tags that give access to devices. */
  deviceTags: string[];
  slots: number;
  /** It takes jobs of forks. */
  forks?: boolean;
  version: string;
  /** BuildKit's cache of its engine; absent: not measured yet, or the engine does not tell. */
  buildCache?: BuildCacheReport | undefined;
  /** Epoch ms of the last report, server's clock. */
  seenAt: number;
}

/** All that a worker must have. */
export const withArch = ({ arch, tags }: { arch?: Arch | undefined; tags: readonly string[] }): string[] =>
  arch === undefined || tags.includes(arch) ? [...tags] : [arch, ...tags];

export interface BuildCacheReport {
  bytes: number;
  /** That no build uses now. */
  unusedBytes: number;
  /** `build_cache_bytes` of the worker's file. */
  maxBytes?: number | undefined;
}

export interface QueueChoice {
  queue: string;
  /** Tags that no live worker has. */
  missing: string[];
}

/**
 * The queue of a script, build or apitest job: its architecture's, or that of its rarest tag. Letter case
 * counts (GitLab: tags are case sensitive). A worker that lacks another of the tags returns the job to its
 * queue.
 */
export function chooseQueue(
  job: { arch?: Arch; tags: readonly string[] },
  fleet: readonly WorkerReport[],
  defaultArch: Arch,
): QueueChoice {
  const arch = job.arch ?? job.tags.find(isArch);
  const others = job.tags.filter((tag) => tag !== arch);
  const count = (tag: string): number => fleet.filter((worker) => worker.tags.includes(tag)).length;
  const missing = others.filter((tag) => count(tag) === 0);
  if (others.length === 0) return { queue: arch ?? defaultArch, missing: [] };
  const rarest = [...others].sort((a, b) => count(a) - count(b))[0] ?? others[0] ?? '';
  return { queue: tagQueue(rarest), missing };
}
