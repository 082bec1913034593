/**
 * The pipeline of a fork waits for a person's approval unless the installation configures otherwise. The
 * approval counts for one pipeline, hence for one head commit: a new push is a new pipeline, which asks
 * again. A child pipeline does not ask, because its parent has asked.
 */
import type { BlobStore, RecordStore } from '../../src/adapters/ports.ts';
import type { InstallationProject } from '../../src/installation.ts';
import type { Plan } from '../../src/plan/model/plan.ts';
import type { WorkerReport } from '../../src/plan/model/queues.ts';
import { forkAuthorRecordName, type ForkAuthorRecord } from '../../src/plan/model/records.ts';
import type { Trigger } from '../../src/plan/model/trigger.ts';
import { admissionKey, forkPlan } from '../../src/plan/policy/fork-plan.ts';
import { forkAuthor } from '../runtime/fork-authors.ts';
import { sha256 } from '../../src/utils/sha256.ts';

interface ForkDeps {
  blobs: Pick<BlobStore, 'putBytes'>;
  records: Pick<RecordStore, 'get'>;
}

/** The reason why the pipeline of a fork is not run at all; undefined if it may run. */
export const forkRefusal = (
  project: Pick<InstallationProject, 'name' | 'fork_pipelines'>,
  trigger: Pick<Trigger, 'fork'>,
): string | undefined =>
  trigger.fork && project.fork_pipelines === 'off'
    ? `Pipelines of forks are off for ${project.name} (fork_pipelines).`
    : undefined;

/** The plan with an admission if it belongs to a fork; otherwise unchanged. */
export async function admitted(
  deps: ForkDeps,
  plan: Plan,
  more: { project: InstallationProject; trigger: Trigger; gateExpiryMs: number },
): Promise<Plan> {
  const { project, trigger, gateExpiryMs } = more;
  if (!trigger.fork) return plan;
  const isChild = (trigger.upstream?.depth ?? 0) > 0;
  const asks = project.fork_pipelines !== 'run' && !isChild && !(await isRemembered(deps, project, trigger));
  if (!asks) return forkPlan(plan, undefined);
  const key = admissionKey(plan.jobs);
  const bytes = new TextEncoder().encode(JSON.stringify({ version: 1, key, admission: true }));
  return forkPlan(plan, {
    key,
    approvers: ['developer', 'operator'],
    expiresInMs: gateExpiryMs,
    spec: await deps.blobs.putBytes(bytes),
  });
}

/** Concerns the author and the repository of the request, as the forge reports them. */
async function isRemembered(
  { records }: ForkDeps,
  project: InstallationProject,
  trigger: Trigger,
): Promise<boolean> {
  const who = project.fork_remember ? forkAuthor(trigger) : undefined;
  if (who === undefined) return false;
  return (await records.get<ForkAuthorRecord>(forkAuthorRecordName(project.name, sha256(who)))) !== undefined;
}

/** A warning for a fork whose jobs would wait without an explanation. */
export const forkWarnings = (trigger: Pick<Trigger, 'fork'>, fleet: readonly WorkerReport[]): string[] =>
  trigger.fork && fleet.length > 0 && !fleet.some((worker) => worker.forks)
    ? ['No worker takes jobs of forks now: set `forks: true` in the configuration of one that may.']
    : [];
