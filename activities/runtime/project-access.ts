/** Resolves a project's name, and decides who may take its artifacts. */
import { projectNamed } from '../../src/compiler/variables/installation.ts';
import type { InstallationProject } from '../../src/installation.ts';
import type { InstallationFacts } from '../../src/installation-facts.ts';
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
