/**
 * Pipelines of forks wait for somebody's "run" unless the installation says otherwise. The approval is of this pipeline,
 * hence of its head commit: a new push is a new pipeline, which asks again. A child asks nobody, its parent has.
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

/** Why a pipeline of a fork is not run at all; undefined when it may be. */
export const forkRefusal = (
  project: Pick<InstallationProject, 'name' | 'fork_pipelines'>,
  trigger: Pick<Trigger, 'fork'>,
): string | undefined =>
  trigger.fork && project.fork_pipelines === 'off'
    ? `Pipelines of forks are off for ${project.name} (fork_pipelines).`
    : undefined;

/** The plan as it may run: as it is where it is no fork's. */
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

/** Said for the author and the repository of the request, both as the forge knows them. */
async function isRemembered(
  { records }: ForkDeps,
  project: InstallationProject,
  trigger: Trigger,
): Promise<boolean> {
  const who = project.fork_remember ? forkAuthor(trigger) : undefined;
  if (who === undefined) return false;
  return (await records.get<ForkAuthorRecord>(forkAuthorRecordName(project.name, sha256(who)))) !== undefined;
}

/** A warning for people whose fork's jobs would wait without a word. */
export const forkWarnings = (trigger: Pick<Trigger, 'fork'>, fleet: readonly WorkerReport[]): string[] =>
  trigger.fork && fleet.length > 0 && !fleet.some((worker) => worker.forks)
    ? ['No worker takes jobs of forks now: set `forks: true` in the configuration of one that may.']
    : [];
