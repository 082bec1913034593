/**
 * A worker that restarts after a kill -9 finds the activities of its previous process and ends them now
 * instead of at the heartbeat timeout. It looks at the open pipelines and those that containers on its engine
 * name. It is the only activity module with Temporal's client, because a worker cannot end activities by id
 * otherwise.
 *
 * Invariants:
 *  FORMER-1 Only activities of an identity that no live process has.
 *  FORMER-2 An attempt that has a container here fails as `Detached`, so it is resumed. One without a
 *           container is requeued: create and start were two requests of a dead process, so none can follow.
 *  FORMER-3 An activity without a container (a build, a push, a deployment) starts again, in a new epoch;
 *           those that Temporal itself repeats are left to Temporal.
 *  FORMER-4 If the identity may be alive on another machine: only activities without a heartbeat during
 *           `quiet`, and always as `Detached`. The next dispatch finds out what was started.
 */
import { ActivityNotFoundError, type Client, WorkflowNotFoundError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import type { Engine } from '../../src/adapters/ports.ts';
import { parseActivityId } from '../../src/plan/model/ids.ts';
import { attemptOf, LABELS } from '../runtime/container-names.ts';
import { workerLost, requeue } from '../runtime/failures.ts';

/** With more open pipelines than this the heartbeat timeout handles the rest. */
const MAX_RUNS = 500;
const AT_ONCE = 8;

export interface FormerWorker {
  client: Client;
  /** Without one the worker has no containers. */
  engine?: Engine;
  installation: string;
  hostId: string;
  /**
   * True if the identity belongs to a previous process of this worker. With `quiet` it may still be alive.
   */
  isFormer(identity: string): boolean;
  /** FORMER-4 */
  quiet?(): Promise<void>;
}
interface OpenRun {
  workflowId: string;
  runId: string;
  /** JOB and attempt of its containers on this engine. */
  attempts: Set<string>;
}
interface PendingActivity {
  activityId: string;
  type: string;
  identity: string;
  /** Time of its last heartbeat; empty: never. */
  beat: string;
}

/** Returns the ids of the activities that it ended. Rejects if engine or Temporal do not answer. */
export async function detachFormer(former: FormerWorker): Promise<string[]> {
  const runs = await openRuns(former);
  const left = [...runs.values()];
  const found: string[] = [];
  const work = async (): Promise<void> => {
    for (let run = left.shift(); run; run = left.shift()) found.push(...(await detachOfRun(former, run)));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return found;
}

async function openRuns({ client, engine, installation }: FormerWorker): Promise<Map<string, OpenRun>> {
  const runs = new Map<string, OpenRun>();
  const runOf = (of: { workflowId: string; runId: string }): OpenRun => {
    const run = runs.get(of.runId) ?? { workflowId: of.workflowId, runId: of.runId, attempts: new Set() };
    runs.set(of.runId, run);
    return run;
  };
  const labels = { [LABELS.installation]: installation, [LABELS.kind]: 'job' };
  for (const container of (await engine?.listContainers(labels)) ?? []) {
    const of = attemptOf(container);
    if (of) runOf(of).attempts.add(JSON.stringify([of.job, of.attempt]));
  }
  const query = 'ExecutionStatus = "Running"';
  for await (const info of client.workflow.list({ query, pageSize: MAX_RUNS })) {
    runOf(info);
    if (runs.size >= MAX_RUNS) break;
  }
  return runs;
}

async function detachOfRun(former: FormerWorker, run: OpenRun): Promise<string[]> {
  const { workflowId, runId } = run;
  const open = await pendingOf(former.client, workflowId, runId);
  const ours = await silentOnes(
    former,
    run,
    open.filter(({ identity }) => former.isFormer(identity)),
  );
  await Promise.all(
    ours.map(async (pending) => {
      const { activityId } = pending;
      try {
        await former.client.activity.fail({ workflowId, runId, activityId }, endOf(pending, run, former));
      } catch (error) {
        if (!(error instanceof ActivityNotFoundError)) throw error; // it has ended by its own timeout
      }
    }),
  );
  return ours.map(({ activityId }) => activityId);
}

/** FORMER-4 */
async function silentOnes(
  former: FormerWorker,
  { workflowId, runId }: OpenRun,
  pending: PendingActivity[],
): Promise<PendingActivity[]> {
  if (former.quiet === undefined || pending.length === 0) return pending;
  await former.quiet();
  const now = await pendingOf(former.client, workflowId, runId);
  const same = (a: PendingActivity, b: PendingActivity): boolean =>
    a.activityId === b.activityId && a.identity === b.identity && a.beat === b.beat;
  return pending.filter((one) => now.some((other) => same(one, other)));
}

/** FORMER-2, FORMER-3. */
function endOf(
  { activityId, type }: PendingActivity,
  { attempts }: OpenRun,
  { hostId, quiet }: FormerWorker,
): ApplicationFailure {
  const of = parseActivityId(activityId);
  if (!of) return ApplicationFailure.retryable('The worker was killed and has restarted.', 'WorkerRestarted');
  const starts = type === 'runJob' || type === 'apitest';
  return starts && quiet === undefined && !attempts.has(JSON.stringify([of.job, of.attempt]))
    ? requeue('The worker was killed before it created a container.')
    : workerLost(hostId);
}

async function pendingOf(client: Client, workflowId: string, runId: string): Promise<PendingActivity[]> {
  try {
    const { raw } = await client.workflow.getHandle(workflowId, runId).describe();
    return (raw.pendingActivities ?? []).map((one) => ({
      activityId: one.activityId ?? '',
      type: one.activityType?.name ?? '',
      identity: one.lastWorkerIdentity ?? '',
      beat: JSON.stringify(one.lastHeartbeatTime ?? null),
    }));
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return []; // past its retention: left to the janitor
    throw error;
  }
}
