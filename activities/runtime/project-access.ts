/** Resolves a project's name, decides who may take its artifacts, and keeps what its forge says about it. */
import { projectNamed } from '../../src/compiler/variables/installation.ts';
import type { InstallationProject } from '../../src/installation.ts';
import type { InstallationFacts } from '../../src/installation-facts.ts';
import type { RecordStore } from '../../src/adapters/ports.ts';
import { defaultBranchOf } from '../../src/plan/policy/default-branch.ts';
import { isForgeEvent } from '../../src/plan/policy/memory.ts';
import { knownProjectName, type KnownProject } from '../../src/plan/model/records.ts';
import type { Trigger } from '../../src/plan/model/trigger.ts';
import type { FindArtifactsInput } from '../contract.ts';

/** By its full name at the forge, or its name here. */
export function artifactProject(
  facts: InstallationFacts,
  input: Pick<FindArtifactsInput, 'project'>,
  name: string,
): InstallationProject | undefined {
  const known = facts.config.projects.find((one) => one.repository === name || one.name === name);
  return known ?? (name === input.project ? projectNamed(facts, { project: input.project }) : undefined);
}

export const mayDownload = (
  giver: InstallationProject,
  { project }: Pick<FindArtifactsInput, 'project'>,
): boolean => giver.name === project || giver.artifacts_to.some((one) => one === project || one === '*');

type Records = Pick<RecordStore, 'get' | 'put'>;

/**
 * What the forge's events said last. Schedules, and pushes that were found without a delivery, do not say it and know it from
 * here. Keeps what this event says, if it says something new.
 */
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

/** The default branch of a project that no event is about now. */
export async function keptDefaultBranch(
  records: Pick<RecordStore, 'get'>,
  project: Pick<InstallationProject, 'name' | 'default_branch'>,
): Promise<string> {
  return defaultBranchOf(project, (await records.get<KnownProject>(knownProjectName(project.name))) ?? {});
}
