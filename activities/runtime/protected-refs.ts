/** A project with the refs that its forge protects, where the installation file leaves that to the forge. */
import type { Rights } from '../../src/adapters/ports.ts';
import type { InstallationProject } from '../../src/installation.ts';
import type { ForgeProtection } from '../../src/match/forge-refs.ts';

export type ProjectWithRefs = InstallationProject & { forge_protects?: ForgeProtection | undefined };

/** Rejects with `store/unreachable` when the server does not answer. */
export async function withForgeRefs(
  rights: Pick<Rights, 'protection'>,
  project: InstallationProject,
): Promise<ProjectWithRefs> {
  if (project.protected_from !== 'forge') return project;
  return { ...project, forge_protects: await rights.protection(project.name) };
}
