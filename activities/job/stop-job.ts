/**
 * `stopJob`: stops a cancelled job whose worker is gone: SIGTERM, grace period, SIGKILL, verified, log read
 * to its end, removed. Idempotent; a missing container is success.
 */
import { Context } from '@temporalio/activity';
import type { HostInput } from '../contract.ts';
import { retryUntilReachable } from '../runtime/retry-policies.ts';
import { removeObjects, stopContainer } from './container/cleanup.ts';
import type { JobDeps } from './context/deps.ts';
import { followLog } from './container/follow.ts';
import { ContainerLog } from '../runtime/log/container-log.ts';
import { type Identity, identityOf } from '../runtime/container-names.ts';
import { withHeartbeat } from '../runtime/heartbeat.ts';
import { bad } from '../runtime/log/log-lines.ts';
import { loadMasks, masksOf } from './start/mask-set.ts';
import { messageOf } from '../../src/utils/message.ts';

const HEARTBEAT_MS = 3_000;
const LOG_MS = 10_000;
const FENCE_MS = 3_000;

export function makeStopJob(deps: JobDeps): (input: HostInput) => Promise<void> {
  return (input) =>
    withHeartbeat({ host: deps.worker.hostId, everyMs: HEARTBEAT_MS }, async () => {
      const { workflowExecution } = Context.current().info;
      const run = { workflowId: workflowExecution?.workflowId ?? '', runId: workflowExecution?.runId ?? '' };
      const identity = identityOf(deps.facts.installation, run, input.ref);
      await fence(deps, input);
      const state = await stopContainer(deps.engine, identity.name, input.graceMs);
      if (state && state.startedAt > 0) await closeLog(deps, input, identity);
      await removeObjects(deps.engine, { labels: identity.labels });
    });
}

/**
 * Opens the log with a higher epoch: the dispatch that is given up neither starts a container nor writes to
 * the log any more.
 */
const epochOf = ({ ref }: HostInput): number => ref.epoch + 1;

/** An unreachable store does not keep a container alive. */
async function fence(deps: JobDeps, input: HostInput): Promise<void> {
  const opened = retryUntilReachable(AbortSignal.timeout(FENCE_MS), () =>
    deps.logs.open(input.ref, epochOf(input)),
  );
  await opened.catch(() => undefined);
}

/** Unread log lines go to the store, if it answers in time; a cancel does not wait for it. */
async function closeLog(deps: JobDeps, input: HostInput, { name }: Identity): Promise<void> {
  const { ref } = input;
  const signal = AbortSignal.timeout(LOG_MS);
  try {
    const capBytes = deps.facts.config.limits.log_bytes;
    const [masks, log] = await Promise.all([
      loadMasks(deps, name),
      ContainerLog.open({ store: deps.logs, ref, epoch: epochOf(input), capBytes, signal, container: name }),
    ]);
    if (!masks || log.ended) return;
    log.hide(masksOf(masks));
    await followLog({ engine: deps.engine, container: name, log, ended: Promise.resolve(), signal });
    log.say(bad('Job cancelled'));
    await log.end();
  } catch (error) {
    const text = messageOf(error);
    Context.current().log.warn('the log of a cancelled job could not be closed', {
      job: ref.job,
      reason: text,
    });
  }
}
