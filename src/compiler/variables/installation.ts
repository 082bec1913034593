/**
 * Project settings from the installation file: variables, and whether a ref is protected. For workers and the
 * command line.
 */
import type { Installation, InstallationProject, InstallationVariable } from '../../installation.ts';
import type { Trigger } from '../../plan/model/trigger.ts';
import { wildcardMatches } from '../../match/wildcard.ts';
import type { CompileVariable } from '../request.ts';

interface ProjectFacts {
  config: Pick<Installation, 'projects'>;
}

/** The project of the installation file, or the defaults for one that it does not name. */
export const projectOf = (facts: ProjectFacts, trigger: Trigger): InstallationProject =>
  projectNamed(facts, trigger);

export function projectNamed(
  { config }: ProjectFacts,
  { project, defaultBranch }: Pick<Trigger, 'project' | 'defaultBranch'>,
): InstallationProject {
  return (
    config.projects.find((one) => one.name === project) ?? {
      name: project,
      forge: 'none',
      clone_user: 'oauth2',
      default_branch: defaultBranch ?? 'main',
      reconcile: false,
      include_by: ['*'],
      include_by_forks: false,
      protected_refs: ['main', 'master'],
      artifacts_to: [],
      triggered_by: [],
      variables: {},
      pages: 'readers',
      resource_modes: {},
    }
  );
}

/**
 * A ref is protected when a pattern matches it and its commit came from the forge or from an operator. A
 * merge request is never protected, and neither is what a developer uploads under the name of a protected
 * branch.
 */
export function isProtected(project: InstallationProject, trigger: Trigger): boolean {
  if (trigger.fork || trigger.refKind === 'merge_request') return false;
  if (trigger.sourceBlob !== undefined && trigger.role !== 'operator') return false;
  return project.protected_refs.some((pattern) => wildcardMatches(pattern, trigger.ref));
}

/** For the compiler, which decides by ref, fork and environment which job gets which variable. */
export const variablesOf = (variables: Readonly<Record<string, InstallationVariable>>): CompileVariable[] =>
  Object.entries(variables).map(([name, written]): CompileVariable => {
    if (typeof written === 'string') return { name, value: { literal: written }, masked: false, file: false };
    const { masked, file, environment } = written;
    const value = written.secret ? { secret: written.secret } : { literal: written.value ?? '' };
    return { name, value, masked, file, environment, protected: written.protected };
  });
