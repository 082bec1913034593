/**
 * A worker that starts again after a kill -9 finds what its former self had under way: the containers on its engine name
 * workflow, run, job and attempt, and describing the workflow names the open activities and who held them. These are failed
 * as `Detached`, so the workflow resumes them now instead of after the heartbeat timeout. The only activity module that has
 * Temporal's client: by-id calls are not in a worker's own reach.
 */
import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import { ActivityNotFoundError } from '@temporalio/client';
import type { Engine } from '../src/adapters/ports.ts';
import { parseActivityId } from '../src/plan/ids.ts';
import { LABELS, readLabels } from './job/names.ts';
import { detached } from './job/thrown.ts';

export interface FormerSelf {
  client: Client;
  engine: Engine;
  installation: string;
  hostId: string;
  /** True of the identity that a former run of this very worker had, and nobody who is alive. */
  isFormer(identity: string): boolean;
}

/** Answers the ids of the activities that were detached. Rejects when engine or Temporal do not answer. */
export async function detachFormer(former: FormerSelf): Promise<string[]> {
  const labels = { [LABELS.installation]: former.installation, [LABELS.kind]: 'job' };
  const containers = await former.engine.listContainers(labels);
  const runs = new Map<string, { workflowId: string; runId: string; attempts: Set<string> }>();
  for (const { labels } of containers) {
    const of = readLabels(labels);
    if (!of) continue;
    const key = JSON.stringify([of.workflowId, of.runId]);
    const run = runs.get(key) ?? { workflowId: of.workflowId, runId: of.runId, attempts: new Set() };
    run.attempts.add(JSON.stringify([of.job, of.attempt]));
    runs.set(key, run);
  }
  const found = await Promise.all([...runs.values()].map((run) => detachOfRun(former, run)));
  return found.flat();
}

async function detachOfRun(
  { client, hostId, isFormer }: FormerSelf,
  { workflowId, runId, attempts }: { workflowId: string; runId: string; attempts: ReadonlySet<string> },
): Promise<string[]> {
  const open = await pendingOf(client, workflowId, runId);
  const ours = open.filter(({ activityId, identity }) => {
    const of = parseActivityId(activityId);
    return of && isFormer(identity) && attempts.has(JSON.stringify([of.job, of.attempt]));
  });
  await Promise.all(
    ours.map(async ({ activityId }) => {
      try {
        await client.activity.fail({ workflowId, runId, activityId }, detached(hostId));
      } catch (error) {
        if (!(error instanceof ActivityNotFoundError)) throw error; // it ended meanwhile, by its own timeout
      }
    }),
  );
  return ours.map(({ activityId }) => activityId);
}

async function pendingOf(
  client: Client,
  workflowId: string,
  runId: string,
): Promise<{ activityId: string; identity: string }[]> {
  try {
    const { raw } = await client.workflow.getHandle(workflowId, runId).describe();
    return (raw.pendingActivities ?? []).map(({ activityId, lastWorkerIdentity }) => ({
      activityId: activityId ?? '',
      identity: lastWorkerIdentity ?? '',
    }));
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return []; // past its retention: the janitor's affair
    throw error;
  }
}
