/**
 * Writes one status of one commit to the forge, for every pipeline that has something to say about it: one call after the
 * other, for as long as the forge is away. No pipeline waits for it.
 *
 * STATUS-1 The last report stands: one that was made before the newest is dropped.
 * STATUS-2 The next call begins when the call before it has ended, also if that one is not wanted any more.
 * STATUS-3 It ends when nothing is left to write, or after days in which the forge has taken nothing.
 */
import {
  allHandlersFinished,
  CancellationScope,
  condition,
  continueAsNew,
  defineSignal,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import type { StatusInput, StatusWrite } from '../src/plan/model/commit-status.ts';
import { SIGNALS } from '../src/plan/model/protocol.ts';
import { isLater } from '../src/plan/policy/commit-status.ts';
import { writing } from './activities.ts';

/** Workflow `status/PROJECT/SHA/CONTEXT`. */
export async function status(input: StatusInput): Promise<void> {
  let latest = input.latest;
  let replaced: (() => void) | undefined;
  setHandler(defineSignal<[StatusWrite]>(SIGNALS.report), (write) => {
    if (latest && !isLater(write.place, latest.place)) return;
    latest = write;
    replaced?.();
  });
  // Started by its first signal.
  await condition(() => latest !== undefined);
  let written: StatusWrite | undefined;
  while (latest !== written) {
    const write = latest;
    if (!write) break;
    const scope = new CancellationScope({ cancellable: true });
    replaced = () => scope.cancel();
    try {
      await scope.run(() => writing.writeCommitStatus(write));
    } catch {
      // A newer one replaces it, or the forge has refused it for good or for days, which the activity has noted.
    }
    replaced = undefined;
    written = write;
    await condition(allHandlersFinished);
    if (workflowInfo().continueAsNewSuggested && latest !== written)
      await continueAsNew<typeof status>({ ...(latest && { latest }) });
  }
}
