/** For rules that leave a branch to the pipeline of its merge request. */
import { log } from '@temporalio/activity';
import type { Forge } from '../../src/adapters/ports.ts';
import type { Trigger } from '../../src/plan/model/trigger.ts';
import { messageOf } from '../../src/utils/message.ts';

/** A plan does not wait longer for the forge. */
const ANSWER_MS = 5_000;

/** Undefined where the forge does not say it in time; never asked for what is no branch of the project. Never rejects. */
export async function openRequestsOf(
  forge: Pick<Forge, 'openRequests'>,
  { project, ref, refKind, source, fork }: Trigger,
  signal: AbortSignal,
): Promise<string[] | undefined> {
  if (fork || refKind !== 'branch' || source === 'cli') return undefined;
  const ended = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]);
  try {
    return await forge.openRequests(project, ref, ended);
  } catch (error) {
    // The variable is absent then: both pipelines run, and none is lost.
    log.warn('open merge requests unknown', { reason: messageOf(error) });
    return undefined;
  }
}
