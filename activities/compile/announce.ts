/**
 * A plan that takes long is told to the forge: its repository is large, or what it includes is slow. Whether this forge has a
 * state for it is decided where it is told.
 */
import { Context } from '@temporalio/activity';
import { isTold, statusKindOf } from '../../src/plan/policy/commit-status.ts';
import { messageOf } from '../../src/utils/message.ts';
import type { CompileInput, ControlActivities } from '../contract.ts';

const LONG_MS = 10_000;

export async function announced<T>(
  { id, iid, order, trigger }: CompileInput,
  report: ControlActivities['reportCommitStatus'],
  work: () => Promise<T>,
): Promise<T> {
  if (!isTold(trigger)) return work();
  const { log } = Context.current();
  const { project, sha, ref, fork } = trigger;
  const tell = (): Promise<void> =>
    report({
      ...{ project, id, sha, ref, state: 'created', kind: statusKindOf(trigger), ...(fork && { fork }) },
      // Before everything that the pipeline itself tells.
      place: [order ?? iid, 0, 0],
    });
  const timer = setTimeout(() => {
    tell().catch((error: unknown) => {
      // The plan itself is more important; the pipeline tells the next state.
      log.warn('commit status not reported', { pipeline: id, reason: messageOf(error) });
    });
  }, LONG_MS);
  try {
    return await work();
  } finally {
    clearTimeout(timer);
  }
}
