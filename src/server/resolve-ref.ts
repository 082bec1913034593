/**
 * The current commit of a branch or tag of a project's repository: a request without a commit starts that
 * one.
 */
import type { Secrets, Source } from '../adapters/ports.ts';
import { DavitError } from '../errors.ts';
import type { InstallationProject } from '../installation.ts';
import { cloneAuth } from '../utils/clone-auth.ts';

export interface NamedRef {
  ref: string;
  refKind: 'branch' | 'tag' | 'merge_request';
}
/** Rejects with `git/no-commit`, `git/unreachable`, `git/denied`, `secret/missing`, `usage/invalid`. */
export type ResolveRef = (project: InstallationProject, named: NamedRef) => Promise<string>;

export const refResolver =
  (source: Pick<Source, 'head'>, secrets: Pick<Secrets, 'resolve'>): ResolveRef =>
  async (project, { ref, refKind }) => {
    if (project.clone_url === undefined || refKind === 'merge_request')
      throw new DavitError('usage/invalid', `The request needs the sha of the ${refKind} ${ref}.`);
    const auth = await cloneAuth(project, secrets);
    const name = `refs/${refKind === 'tag' ? 'tags' : 'heads'}/${ref}`;
    const sha = await source.head(project.clone_url, name, auth);
    if (sha === undefined)
      throw new DavitError('git/no-commit', `The repository of ${project.name} has no ${refKind} ${ref}.`);
    return sha;
  };
