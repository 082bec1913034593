/**
 * What the forge's events said last about a project: its default branch, name and page. Events that do not say it, such as
 * schedules and pushes that were found without a delivery, know it from here.
 */
import type { RecordStore } from '../../src/adapters/ports.ts';
import type { InstallationProject } from '../../src/installation.ts';
import { isForgeEvent } from '../../src/plan/policy/memory.ts';
import { knownProjectName, type KnownProject } from '../../src/plan/model/records.ts';
import type { Trigger } from '../../src/plan/model/trigger.ts';

type Records = Pick<RecordStore, 'get' | 'put'>;
const DEFAULT_BRANCH = 'main';

/** Keeps what the event says, if it says something new. */
export async function knownProject(records: Records, trigger: Trigger): Promise<KnownProject> {
  const name = knownProjectName(trigger.project);
  const before = (await records.get<KnownProject>(name)) ?? {};
  // Only an event of the forge has a repository; that of a merge request is its target.
  if (!trigger.repository || !isForgeEvent(trigger.source)) return before;
  const { path, url } = trigger.repository;
  const now: KnownProject = {
    ...before,
    ...(trigger.defaultBranch !== undefined && { defaultBranch: trigger.defaultBranch }),
    ...(path !== undefined && { path }),
    ...(url !== undefined && { url }),
  };
  if (JSON.stringify(now) !== JSON.stringify(before)) await records.put(name, now);
  return now;
}

/** That of the installation file, else that of the forge; `guess`: what a request says. */
export const defaultBranchOf = (
  { default_branch }: Pick<InstallationProject, 'default_branch'>,
  known: Pick<KnownProject, 'defaultBranch'>,
  guess?: string,
): string => default_branch ?? known.defaultBranch ?? guess ?? DEFAULT_BRANCH;

/** The default branch of a project that no event is about now. */
export async function keptDefaultBranch(
  records: Pick<RecordStore, 'get'>,
  project: Pick<InstallationProject, 'name' | 'default_branch'>,
): Promise<string> {
  return defaultBranchOf(project, (await records.get<KnownProject>(knownProjectName(project.name))) ?? {});
}
