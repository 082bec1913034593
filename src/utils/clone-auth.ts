import type { Secrets } from '../adapters/ports.ts';
import type { InstallationProject } from '../installation.ts';

/** Credentials for the project's own clone_url, resolved now; undefined when the operator named none. */
export async function cloneAuth(
  project: Pick<InstallationProject, 'clone_token' | 'clone_user'>,
  secrets: Pick<Secrets, 'resolve'>,
): Promise<{ username: string; password: string } | undefined> {
  if (!project.clone_token) return undefined;
  return { username: project.clone_user, password: await secrets.resolve(project.clone_token) };
}
