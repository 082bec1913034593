/** Why no worker has taken a job yet, as far as the fleet tells. Pure. */
import { nameOf, stateOf, type SeenWorker } from '../model/fleet.ts';
import { isArch } from '../model/ids.ts';
import { deployTargetOf, forkQueue, hostQueue, tagQueue, type WorkerReport } from '../model/queues.ts';

export interface SentJob {
  queue: string;
  tags: readonly string[];
}
export interface KnownFleet {
  fleet: readonly WorkerReport[];
  /** Machines without a worker now. */
  gone?: readonly SeenWorker[];
  /** Epoch ms, the clock of the fleet's times. */
  now: number;
}
type Served = Pick<WorkerReport, 'arches' | 'tags' | 'targets'>;

const MAX_NAMED = 3;
const DAY_MS = 86_400_000;

/** It polls the queue, and has all tags of the job. */
export function mayTake(job: SentJob, worker: Served & Pick<WorkerReport, 'hostId' | 'forks'>): boolean {
  if (job.queue === hostQueue(worker.hostId)) return true;
  const isOfQueue = (queue: string): boolean =>
    queue === job.queue || (worker.forks === true && forkQueue(queue) === job.queue);
  return isServed(job, worker, isOfQueue);
}

function isServed(job: SentJob, worker: Served, isOfQueue: (queue: string) => boolean): boolean {
  const target = deployTargetOf(job.queue);
  if (target !== undefined) return worker.targets.includes(target);
  const queues = [...worker.arches, ...worker.tags.map(tagQueue)];
  return queues.some(isOfQueue) && hasTags(job, worker);
}

const hasTags = ({ tags }: SentJob, worker: Served): boolean =>
  tags.every((tag) => (isArch(tag) ? worker.arches.includes(tag) : worker.tags.includes(tag)));

/** Completes "waits for …; "; undefined: a worker is there that may take it in a moment. */
export function workerNote(job: SentJob, { fleet, gone = [], now }: KnownFleet): string | undefined {
  const able = fleet.filter((worker) => mayTake(job, worker));
  if (able.length === 0) return noneNote(job, gone, now);
  const ready = able.filter((worker) => stateOf(worker) === 'ready');
  if (ready.length === 0) return listed(able.map((worker) => notReady(worker, now)));
  // A resumed job takes no slot.
  if (job.queue.startsWith('host-') || !ready.every(isFull)) return undefined;
  return listed(ready.map((worker) => `${nameOf(worker)} has no free slot (${worker.slots} at once)`));
}

const isFull = ({ running, slots }: WorkerReport): boolean =>
  running !== undefined && running.length >= slots;

function notReady(worker: WorkerReport, now: number): string {
  const name = nameOf(worker);
  if (worker.failed) return `the worker of ${name} cannot start`;
  if (worker.away) return `the engine of ${name} is away since ${clock(worker.away.since, now)}`;
  return `${name} is draining`;
}

function noneNote(job: SentJob, gone: readonly SeenWorker[], now: number): string {
  const former = gone.filter((seen) => isServed(job, seen, (queue) => job.queue.endsWith(queue)));
  if (former.length === 0) return 'none is there';
  return `none is there: ${listed(former.map(({ name, seenAt }) => `${name} was last seen at ${clock(seenAt, now)}`))}`;
}

function listed(words: readonly string[]): string {
  const all = [...new Set(words)];
  const more = all.length > MAX_NAMED ? [`${all.length - MAX_NAMED} more`] : [];
  return [...all.slice(0, MAX_NAMED), ...more].join(', ');
}

function clock(time: number, now: number): string {
  const text = new Date(time).toISOString();
  return now - time < DAY_MS ? `${text.slice(11, 16)} UTC` : `${text.slice(0, 16).replace('T', ' ')} UTC`;
}
