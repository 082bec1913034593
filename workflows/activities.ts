/** The activities as the workflows call them: queues, timeouts and retries stand here and nowhere else. */
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
import { CONTROL_QUEUE, hostQueue } from '../src/plan/model/queues.ts';

export type JobActivities = ArchActivities &
  DeployActivities &
  Pick<HostActivities, 'resumeJob'> &
  Pick<ControlActivities, 'pushImage'>;

/** Beyond the job's own timeout, which the activity keeps: pulls, uploads and downloads are not the script's time. */
const GUARD_MS = 60 * 60_000;

/** One try of one activity of a job: Temporal itself never repeats it, because a repeat has an id and an epoch of its own. */
export function jobActivities(options: {
  ref: AttemptRef;
  job: PlanJob;
  queue: string;
  limits: Limits;
  waitMs: number;
}): ActivityInterfaceFor<JobActivities> {
  return proxyActivities<JobActivities>({
    activityId: activityId(options.ref),
    taskQueue: options.queue,
    summary: options.job.key,
    heartbeatTimeout: options.limits.heartbeatTimeoutMs,
    scheduleToStartTimeout: Math.max(1_000, options.waitMs),
    startToCloseTimeout: options.job.timeoutMs + GUARD_MS,
    retry: { maximumAttempts: 1 },
    // Said aloud: the SDK documents this as its default and sends TRY_CANCEL, which would not wait for the clean-up.
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    allowEagerDispatch: false,
  });
}

/** Tidying on a machine that may be gone: bounded, so that it holds nothing up for ever. */
export const hostActivities = (
  host: string,
  waitMs: number,
): ActivityInterfaceFor<Pick<HostActivities, 'stopJob' | 'releaseJobs'>> =>
  proxyActivities<Pick<HostActivities, 'stopJob' | 'releaseJobs'>>({
    taskQueue: hostQueue(host),
    scheduleToStartTimeout: Math.max(1_000, waitMs),
    startToCloseTimeout: '2 minutes',
    retry: { maximumAttempts: 3, initialInterval: '1s' },
  });

/** Git, the blob store or the forge may be away for a while: patient, but a person hears of it within minutes. */
export const compiling = proxyActivities<Pick<ControlActivities, 'compilePipeline' | 'loadRecord'>>({
  taskQueue: CONTROL_QUEUE,
  startToCloseTimeout: '15 minutes',
  heartbeatTimeout: '30s',
  retry: { initialInterval: '1s', maximumInterval: '30s', maximumAttempts: 8 },
});

/** What must not be lost, however long the store is away. */
export const durable = proxyActivities<
  Pick<ControlActivities, 'claimPipeline' | 'recordPipeline' | 'findRecord' | 'isClosed' | 'findGiven'>
>({
  taskQueue: CONTROL_QUEUE,
  startToCloseTimeout: '1 minute',
  retry: { initialInterval: '500ms', maximumInterval: '30s' },
});

/** A forge that is away is waited for, as a registry is. */
export const releasing = proxyActivities<Pick<ControlActivities, 'createRelease'>>({
  taskQueue: CONTROL_QUEUE,
  startToCloseTimeout: '2 minutes',
  scheduleToCloseTimeout: '30 minutes',
  heartbeatTimeout: '30s',
  retry: { initialInterval: '1s', maximumInterval: '1 minute' },
});

/** Git or the store may be away for long: asked again until it answers. A cancel waits for the answer (job/downstream-attempt.ts, T2). */
export const triggering = proxyActivities<
  Pick<ControlActivities, 'startDownstream' | 'findMirrored' | 'lookDownstream' | 'findDownstream'>
>({
  taskQueue: CONTROL_QUEUE,
  startToCloseTimeout: '5 minutes',
  heartbeatTimeout: '30s',
  retry: { initialInterval: '500ms', maximumInterval: '30s' },
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
});

/** A site is unpacked file by file into the store. */
export const publishing = proxyActivities<Pick<ControlActivities, 'publishPages'>>({
  taskQueue: CONTROL_QUEUE,
  startToCloseTimeout: '30 minutes',
  heartbeatTimeout: '30s',
  scheduleToCloseTimeout: '2 hours',
  retry: { initialInterval: '1s', maximumInterval: '1 minute' },
});

/** Before a machine's work is called lost; a log store that is away for long does not hold up the verdict for ever. */
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
