/**
 * Project settings from the installation file: variables, and whether a ref is protected. For workers and the
 * command line.
 */
import type { Installation, InstallationProject, InstallationVariable } from '../../installation.ts';
import type { Trigger } from '../../plan/model/trigger.ts';
import { isProtectedRef, type ProtectedRefLists } from '../../match/protected-refs.ts';
import type { CompileRequest, CompileVariable } from '../request.ts';

interface ProjectFacts {
  config: Pick<Installation, 'projects'>;
}

/** The project of the installation file, or the defaults for one that it does not name. */
export const projectOf = (facts: ProjectFacts, trigger: Trigger): InstallationProject =>
  projectNamed(facts, trigger);

export function projectNamed(
  { config }: ProjectFacts,
  { project }: Pick<Trigger, 'project'>,
): InstallationProject {
  return (
    config.projects.find((one) => one.name === project) ?? {
      name: project,
      forge: 'none',
      allow_http: false,
      clone_user: 'oauth2',
      reconcile: false,
      include_by: ['*'],
      include_by_forks: false,
      protected_refs: ['main', 'master'],
      protected_tags: [],
      protected_from: 'file',
      start_protected: ['operator'],
      environments: {},
      fork_pipelines: 'ask',
      fork_remember: false,
      artifacts_to: [],
      images_to: [],
      push_to: [],
      git_to: [],
      triggered_by: [],
      variables: {},
      pages: 'readers',
      public: false,
      resource_modes: {},
    }
  );
}

/**
 * A ref is protected when a list of its kind names it and the forge, or a person who may, vouches for its
 * commit. A working tree is protected only for the operator of the machine that davit runs on. A request for
 * a commit of the repository also needs the check that the ref holds that commit:
 * `activities/compile/verify-ref.ts`.
 */
export function isProtected(
  project: ProtectedRefLists & Pick<InstallationProject, 'start_protected'>,
  trigger: Trigger,
): boolean {
  if (trigger.fork || !isProtectedRef(project, trigger.refKind, trigger.ref)) return false;
  if (trigger.sourceBlob !== undefined) return isLocalOperator(trigger);
  return (
    trigger.role === undefined || mayStartProtected(project, { name: trigger.actor, role: trigger.role })
  );
}

/** The operator of the server's own machine, with a working tree of his own. */
export const isLocalOperator = (trigger: Pick<Trigger, 'local' | 'role' | 'sourceBlob'>): boolean =>
  trigger.local === true && trigger.role === 'operator' && trigger.sourceBlob !== undefined;

/**
 * Whether a person may start or retry pipelines of the project's protected refs. Roles include the higher
 * ones.
 */
export function mayStartProtected(
  { start_protected }: Pick<InstallationProject, 'start_protected'>,
  { name, role }: { name: string; role: string },
): boolean {
  if (role === 'reader') return false;
  if (start_protected.includes(name) || start_protected.includes(role)) return true;
  return role === 'operator' && start_protected.includes('developer');
}

/** For the compiler, which decides by ref, fork and environment which job gets which variable. */
export const variablesOf = (variables: Readonly<Record<string, InstallationVariable>>): CompileVariable[] =>
  Object.entries(variables).map(([name, written]): CompileVariable => {
    if (typeof written === 'string') return { name, value: { literal: written }, masked: false, file: false };
    const { masked, file, environment } = written;
    const value = written.secret ? { secret: written.secret } : { literal: written.value ?? '' };
    return { name, value, masked, file, environment, protected: written.protected };
  });

/** The limits of the installation that a plan depends on. */
export const compileLimits = ({
  job_timeout: jobTimeoutMs,
  gate_expiry: gateExpiryMs,
  artifact_age: age,
}: Installation['limits']): CompileRequest['limits'] => ({
  jobTimeoutMs,
  gateExpiryMs,
  ...(age !== 'never' && { artifactAgeMs: age }),
});
