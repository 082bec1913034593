/**
 * The activities that use containers, assembled from their ports: for the queues of an architecture or tag,
 * and for the queue of one host.
 */
import { makeApitest } from './apitest.ts';
import type { ArchActivities, HostActivities } from '../contract.ts';
import type { JobDeps } from './context/deps.ts';
import { makeReleaseJobs } from './release-jobs.ts';
import { makeResumeJob } from './resume-job.ts';
import { makeRunJob } from './run-job.ts';
import { makeStopJob } from './stop-job.ts';
import { coded } from '../runtime/failures.ts';
import { perAttempt } from '../runtime/per-attempt.ts';

export type { HeartbeatAck } from '../runtime/activity-lease.ts';
export type { JobDeps, JobWorker } from './context/deps.ts';

/** `buildImage`, the third of these queues, is made by `makeBuildImage`. */
export const makeArchActivities = (deps: JobDeps): Omit<ArchActivities, 'buildImage'> => ({
  runJob: coded(perAttempt(deps, makeRunJob)),
  apitest: coded(perAttempt(deps, makeApitest)),
});

/** For `host-ID`. */
export const makeHostActivities = (deps: JobDeps): HostActivities => ({
  resumeJob: coded(perAttempt(deps, makeResumeJob)),
  stopJob: coded(perAttempt(deps, makeStopJob)),
  releaseJobs: coded(makeReleaseJobs(deps)),
});
