/** What a pipeline waits for: kinds for people, and groups of them by which Temporal's UI can search. Pure. */
import type { PlanJob } from '../model/plan.ts';
import type { JobStatus } from '../model/protocol.ts';
import { keywords } from './display-text.ts';
import { isOptional } from './status.ts';

/**
 * Groups in the search attribute `DavitWaitingFor`, beside the kinds (`gate`, `queue:arm32`): Temporal compares the
 * values of such a list as a whole, and cannot search by how they begin.
 */
export const WAIT_GROUPS = {
  person: 'person',
  worker: 'worker',
  /** No job of it runs. */
  still: 'nothing-runs',
} as const;
/** The values of a pipeline that has just been started. */
export const WAITS_FOR_PLAN: readonly string[] = [WAIT_GROUPS.still, 'plan'];
const GROUPS: readonly string[] = Object.values(WAIT_GROUPS);

export interface Job {
  spec: Pick<PlanJob, 'allowFailure' | 'gate'>;
  status: Pick<JobStatus, 'phase' | 'waitingFor'>;
}

/**
 * A job whose turn has not come waits for other jobs, which are listed themselves; nobody has to play an optional
 * manual job.
 */
export const waitsOf = (jobs: readonly Job[]): string[] => distinct(jobs.filter((job) => !isOffered(job)));
const isOffered = ({ spec, status }: Job): boolean => status.phase === 'manual' && isOptional(spec);

/** As `waitsOf`, with the optional manual jobs that earlier versions listed. */
export const allWaitsOf = (jobs: readonly Job[]): string[] => distinct(jobs);

const distinct = (jobs: readonly Job[]): string[] => [
  ...new Set(
    jobs.flatMap(({ status: { phase, waitingFor } }) =>
      phase === 'created' || waitingFor === undefined || waitingFor === 'slots' ? [] : [waitingFor],
    ),
  ),
];

/** What is open waits, and no job has been sent to a worker that may just have taken it. */
export function isStill(jobs: readonly Job[]): boolean {
  const begun = jobs.filter(
    (job) => job.status.phase !== 'created' && job.status.phase !== 'ended' && !isOffered(job),
  );
  return begun.length > 0 && begun.every(({ status }) => isWaiting(status));
}
const isWaiting = ({ phase, waitingFor }: Job['status']): boolean =>
  phase !== 'running' && phase !== 'stopping' && waitingFor !== undefined && waitingFor !== 'slots';

/** The values of the search attribute: the groups first, which are never cut off. */
export function searchWords(waits: readonly string[], still: boolean): string[] {
  const isWorker = waits.some((one) => one.startsWith('queue:'));
  const isPerson = waits.some((one) => one === 'gate' || one === 'manual');
  return [
    ...(isPerson ? [WAIT_GROUPS.person] : []),
    ...(isWorker ? [WAIT_GROUPS.worker] : []),
    ...(still ? [WAIT_GROUPS.still] : []),
    ...keywords(waits),
  ];
}

/** The kinds in the value of the search attribute. */
export const withoutGroups = (words: readonly string[]): string[] =>
  words.filter((word) => !GROUPS.includes(word));
