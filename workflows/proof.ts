/**
 * Messages that decide something are verified before they count. Workflows may not verify signatures themselves, so an
 * activity of the control worker does.
 */
import { CancellationScope } from '@temporalio/workflow';
import type { Message } from '../src/plan/model/message.ts';
import { proving } from './activities.ts';
import { hasVersion } from './versions.ts';

/** The reason why it does not count; undefined where it does. Ask `verifies` first. */
export async function unproven(message: Message): Promise<string | undefined> {
  // Also while the pipeline is being cancelled: who cancelled it is to be recorded.
  const answer = await CancellationScope.nonCancellable(() => proving.checkProof(message));
  return answer.verdict === 'proven' ? undefined : answer.reason;
}

/** False for a run that replays a message from before this version: nothing is awaited then. */
export const verifies = (): boolean => hasVersion('messagesAreProven');
