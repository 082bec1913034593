import { isArch, type Arch } from './ids.ts';
import { storable } from './text.ts';

/** Task queues of an installation. The queue is the scaling unit: more hosts poll the same names. */
export const CONTROL_QUEUE = 'control';
export const hostQueue = (hostId: string): string => `host-${hostId}`;
export const deployQueue = (target: string): string => `deploy-${target}`;
export const tagQueue = (tag: string): string => (isArch(tag) ? tag : `tag-${sendable(tag)}`);

/** Where jobs of forks wait for a worker that takes them. */
export const forkQueue = (queue: string): string => `forks-${queue}`;

/** Characters of a name that people give to a job or a tag, as in GitLab. Temporal takes 1,000 bytes. */
export const NAME_CHARS = 255;
/** Why a name may stand in no message to Temporal, or in no row of PostgreSQL; undefined when it may. */
export function nameProblem(name: string, chars = NAME_CHARS): string | undefined {
  if (name.length > chars) return `is longer than ${chars} characters`;
  if (name.includes('\0')) return 'holds a NUL';
  return name.isWellFormed() ? undefined : 'holds half of a character (a surrogate)';
}
/** What a variable has made of a name may be anything: a message that nobody can read ends the worker that sends it. */
const sendable = (name: string): string => storable(name).slice(0, NAME_CHARS).toWellFormed();

/** What the server knows of one worker; workers report themselves. */
export interface WorkerReport {
  id: string;
  hostId: string;
  hostName: string;
  arches: Arch[];
  /** Architectures run by emulation. */
  emulated: Arch[];
  tags: string[];
  /** Deploy targets. */
  targets: string[];
  /** Devices by tag; a job that asks for one of these tags asks for hardware. */
  deviceTags: string[];
  slots: number;
  /** It takes jobs of forks. */
  forks?: boolean;
  version: string;
  /** Epoch ms of the last report, server's clock. */
  seenAt: number;
}

export interface QueueChoice {
  queue: string;
  /** Tags no live worker has. */
  missing: string[];
}

/**
 * The queue of a script, build or apitest job: its architecture's, or that of its rarest tag. Letter case counts
 * (GitLab: tags are case sensitive). A worker that lacks another of the tags hands the job back.
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
