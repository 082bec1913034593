/**
 * The activities as the workflows call them. Their queues, timeouts and retries are defined here and nowhere
 * else.
 */
import { ActivityFailure, ApplicationFailure } from '@temporalio/common';
import { ActivityCancellationType, proxyActivities } from '@temporalio/workflow';
import type { ActivityInterfaceFor } from '@temporalio/workflow';
import type {
  ArchActivities,
  ControlActivities,
  DeployActivities,
  HostActivities,
  Limits,
} from '../activities/contract.ts';
import { activityId, type AttemptRef } from '../src/plan/model/ids.ts';
import type { PlanJob } from '../src/plan/model/plan.ts';
import { activitySummary } from '../src/plan/policy/display-text.ts';
import { CONTROL_QUEUE, hostQueue } from '../src/plan/model/queues.ts';

export type JobActivities = ArchActivities &
  DeployActivities &
  Pick<HostActivities, 'resumeJob'> &
  Pick<ControlActivities, 'pushImage'>;

/**
 * Beyond the job's own timeout, which the activity enforces: pulls, uploads and downloads are not part of
 * that.
 */
const GUARD_MS = 60 * 60_000;

export interface DispatchOptions {
  ref: AttemptRef;
  job: PlanJob;
  queue: string;
  limits: Limits;
  /** How long it may wait for a worker. */
  waitMs: number;
  /** The machine on which a container is taken up again. */
  host?: string | undefined;
}

/**
 * One dispatch. Temporal itself never repeats it, because a repeat has an id and a dispatch number of its
 * own.
 */
export function jobActivities(options: DispatchOptions): ActivityInterfaceFor<JobActivities> {
  return proxyActivities<JobActivities>({
    activityId: activityId(options.ref),
    taskQueue: options.queue,
    summary: activitySummary(options.ref, options.host),
    heartbeatTimeout: options.limits.heartbeatTimeoutMs,
    scheduleToStartTimeout: Math.max(1_000, options.waitMs),
    startToCloseTimeout: options.job.timeoutMs + GUARD_MS,
    retry: { maximumAttempts: 1 },
    // Explicit: the SDK documents this as its default but sends TRY_CANCEL, which would not wait for the
    // cleanup.
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    allowEagerDispatch: false,
  });
}

/**
 * Cleanup on a host that may be gone: bounded, so that nothing waits for it without end. `stops`: the attempt that is
 * stopped, which the activity's id names; the worker gets the token of that attempt by it.
 */
export const hostActivities = (
  host: string,
  waitMs: number,
  stops?: AttemptRef,
): ActivityInterfaceFor<Pick<HostActivities, 'stopJob' | 'releaseJobs'>> =>
  proxyActivities<Pick<HostActivities, 'stopJob' | 'releaseJobs'>>({
    ...(stops && { activityId: `${activityId(stops)}/stop` }),
    summary: stops ? `${activitySummary(stops, undefined)}, on ${host}` : host,
    taskQueue: hostQueue(host),
    scheduleToStartTimeout: Math.max(1_000, waitMs),
    startToCloseTimeout: '2 minutes',
    retry: { maximumAttempts: 3, initialInterval: '1s' },
  });

/** A repository that does not respond: waited for in `awaitingForge`, where people see it. */
const FORGE_AWAY = 'git/unreachable';
/** How long a pipeline waits for its forge. */
export const FORGE_WAIT_MS = 24 * 60 * 60_000;

/** The blob store or the server may be unreachable for a while: patient, but it fails within minutes. */
export const compiling = proxyActivities<Pick<ControlActivities, 'compilePipeline' | 'loadRecord'>>({
  taskQueue: CONTROL_QUEUE,
  startToCloseTimeout: '15 minutes',
  heartbeatTimeout: '30s',
  retry: {
    initialInterval: '1s',
    maximumInterval: '30s',
    maximumAttempts: 8,
    nonRetryableErrorTypes: [FORGE_AWAY],
  },
});

/** True for the failure of an activity whose repository did not respond. */
export const isForgeAway = (error: unknown): boolean =>
  error instanceof ActivityFailure &&
  error.cause instanceof ApplicationFailure &&
  error.cause.type === FORGE_AWAY;

/** While the forge is away: until it responds, or another kind of failure, or the end of the wait. */
export const awaitingForge = (waitMs: number): Pick<typeof compiling, 'compilePipeline'> =>
  proxyActivities<Pick<ControlActivities, 'compilePipeline'>>({
    taskQueue: CONTROL_QUEUE,
    startToCloseTimeout: '15 minutes',
    scheduleToCloseTimeout: Math.max(1_000, waitMs),
    heartbeatTimeout: '30s',
    summary: 'waits for the forge',
    retry: { initialInterval: '1s', maximumInterval: '30s', nonRetryableErrorTypes: ['internal/defect'] },
  });

/** What must not be lost, however long the store is unreachable. */
export const durable = proxyActivities<
  Pick<
    ControlActivities,
    | 'claimPipeline'
    | 'recordPipeline'
    | 'findRecord'
    | 'isClosed'
    | 'findGiven'
    | 'checkApproval'
    | 'proveStop'
  >
>({
  taskQueue: CONTROL_QUEUE,
  startToCloseTimeout: '1 minute',
  retry: { initialInterval: '500ms', maximumInterval: '30s' },
});

/**
 * Not a local activity: the steps after one were not always replayed in the same order, where a version was asked for
 * next.
 */
export const proving = proxyActivities<Pick<ControlActivities, 'checkProof'>>({
  taskQueue: CONTROL_QUEUE,
  startToCloseTimeout: '10s',
  retry: { initialInterval: '200ms', maximumInterval: '10s' },
});

/** Waits for an unreachable forge, as a push waits for a registry. */
export const releasing = proxyActivities<Pick<ControlActivities, 'createRelease'>>({
  taskQueue: CONTROL_QUEUE,
  startToCloseTimeout: '2 minutes',
  scheduleToCloseTimeout: '30 minutes',
  heartbeatTimeout: '30s',
  retry: { initialInterval: '1s', maximumInterval: '1 minute' },
});

/**
 * Git or the store may be unreachable for long: retried without limit. A cancel waits for the end
 * (TRIGGER-2).
 */
export const triggering = proxyActivities<
  Pick<ControlActivities, 'startDownstream' | 'findMirrored' | 'lookDownstream' | 'findDownstream'>
>({
  taskQueue: CONTROL_QUEUE,
  startToCloseTimeout: '5 minutes',
  heartbeatTimeout: '30s',
  retry: { initialInterval: '500ms', maximumInterval: '30s' },
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
});

/** A site is unpacked into the store file by file. */
export const publishing = proxyActivities<Pick<ControlActivities, 'publishPages'>>({
  taskQueue: CONTROL_QUEUE,
  startToCloseTimeout: '30 minutes',
  heartbeatTimeout: '30s',
  scheduleToCloseTimeout: '2 hours',
  retry: { initialInterval: '1s', maximumInterval: '1 minute' },
});

/**
 * Before a host is called lost. A log store that is unreachable for long does not hold up the verdict without
 * end.
 */
export const fencing = proxyActivities<Pick<ControlActivities, 'closeLog'>>({
  taskQueue: CONTROL_QUEUE,
  startToCloseTimeout: '1 minute',
  scheduleToCloseTimeout: '5 minutes',
  retry: { initialInterval: '500ms', maximumInterval: '10s' },
});

export const bestEffort = proxyActivities<Pick<ControlActivities, 'reportCommitStatus' | 'forgeHeadIs'>>({
  taskQueue: CONTROL_QUEUE,
  scheduleToCloseTimeout: '2 minutes',
  startToCloseTimeout: '30s',
  retry: { initialInterval: '1s', maximumAttempts: 3 },
});

/** To the writer of a commit's status: Temporal is there, as this workflow runs. */
export const telling = proxyActivities<Pick<ControlActivities, 'reportCommitStatus'>>({
  taskQueue: CONTROL_QUEUE,
  startToCloseTimeout: '30s',
  retry: { initialInterval: '500ms', maximumInterval: '30s' },
});

/**
 * Waits for a forge that is away, for as long as it may take people to notice. A call that is not wanted any more ends before
 * the next one begins.
 */
export const writing = proxyActivities<Pick<ControlActivities, 'writeCommitStatus'>>({
  taskQueue: CONTROL_QUEUE,
  startToCloseTimeout: '30s',
  scheduleToCloseTimeout: '7 days',
  retry: { initialInterval: '1s', maximumInterval: '2 minutes' },
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
});

export const ending = proxyActivities<Pick<ControlActivities, 'requestCancel'>>({
  taskQueue: CONTROL_QUEUE,
  summary: 'it is over: Temporal shall show it as cancelled',
  scheduleToCloseTimeout: '2 minutes',
  startToCloseTimeout: '30s',
  retry: { initialInterval: '1s', maximumAttempts: 3 },
});
