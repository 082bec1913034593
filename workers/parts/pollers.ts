import type { WorkerOptions } from '@temporalio/worker';

/**
 * The SDK's 10 polls of each kind and queue are renewed by the second, and a machine has nine queues: that was most of what an idle
 * davit did. A poll that has brought a task is replaced at once, so a few of them do not hold up a burst.
 */
export const pollers = (
  maximum: number,
): Pick<WorkerOptions, 'activityTaskPollerBehavior' | 'workflowTaskPollerBehavior'> => ({
  activityTaskPollerBehavior: { type: 'simple-maximum', maximum },
  workflowTaskPollerBehavior: { type: 'simple-maximum', maximum },
});
