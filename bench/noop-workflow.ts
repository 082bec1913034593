import { proxyActivities } from '@temporalio/workflow';

const { noop } = proxyActivities<{ noop(): Promise<void> }>({ startToCloseTimeout: '1 minute' });

/** COUNT activities that do nothing, one after another. */
export async function noops(count: number): Promise<void> {
  for (let index = 0; index < count; index += 1) await noop();
}
