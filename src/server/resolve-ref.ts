/**
 * The branch or tag that a request names, and its current commit: a request without a commit starts that one. A name
 * is looked up as GitLab's API does it: what is a branch and a tag at once has to be written in full.
 */
import type { RecordStore, Secrets, Source } from '../adapters/ports.ts';
import { DavitError } from '../errors.ts';
import type { InstallationProject } from '../installation.ts';
import { knownProjectName, type KnownProject } from '../plan/model/records.ts';
import { defaultBranchOf } from '../plan/policy/default-branch.ts';
import { cloneAuth } from '../utils/clone-auth.ts';

export type RefKind = 'branch' | 'tag' | 'merge_request';
export interface NamedRef {
  /** `main`, `refs/heads/main`; absent: the default branch. */
  ref?: string | undefined;
  /** Absent: whichever of branch and tag has the name. */
  refKind?: RefKind | undefined;
}
export interface ResolvedRef {
  ref: string;
  refKind: RefKind;
  sha: string;
}
/** Rejects with `git/no-commit`, `git/unreachable`, `git/denied`, `secret/missing`, `usage/invalid`. */
export type ResolveRef = (project: InstallationProject, named: NamedRef) => Promise<ResolvedRef>;

const FOLDERS = { branch: 'refs/heads/', tag: 'refs/tags/' } as const;

interface ResolverDeps {
  source: Pick<Source, 'head'>;
  secrets: Pick<Secrets, 'resolve'>;
  records: Pick<RecordStore, 'get'>;
}

export const refResolver =
  ({ source, secrets, records }: ResolverDeps): ResolveRef =>
  async (project, named) => {
    const { clone_url: url } = project;
    const { ref, kinds } =
      named.ref === undefined
        ? await defaultBranch(records, project, named)
        : candidates({ ...named, ref: named.ref });
    if (url === undefined || kinds.length === 0)
      throw new DavitError(
        'usage/invalid',
        `The request needs the sha of the ${named.refKind ?? 'ref'} ${ref}.`,
      );
    const auth = await cloneAuth(project, secrets);
    const found: ResolvedRef[] = [];
    for (const refKind of kinds) {
      const sha = await source.head(url, `${FOLDERS[refKind]}${ref}`, auth);
      if (sha !== undefined) found.push({ ref, refKind, sha });
    }
    const [one, other] = found;
    if (other)
      throw new DavitError('usage/invalid', `${project.name} has a branch and a tag ${ref}.`, {
        hint: `Write ${FOLDERS.branch}${ref} or ${FOLDERS.tag}${ref}.`,
      });
    if (one) return one;
    const what = kinds.length === 1 ? kinds[0] : 'branch or tag';
    throw new DavitError('git/no-commit', `The repository of ${project.name} has no ${what} ${ref}.`);
  };

interface Candidates {
  ref: string;
  kinds: readonly (keyof typeof FOLDERS)[];
}

async function defaultBranch(
  records: Pick<RecordStore, 'get'>,
  project: InstallationProject,
  { refKind }: NamedRef,
): Promise<Candidates> {
  const known = await records.get<KnownProject>(knownProjectName(project.name));
  return { ref: defaultBranchOf(project, known ?? {}), kinds: refKind === undefined ? ['branch'] : [] };
}

function candidates({ ref, refKind }: NamedRef & { ref: string }): Candidates {
  if (refKind === 'merge_request') return { ref, kinds: [] };
  if (refKind) return { ref, kinds: [refKind] };
  for (const kind of ['branch', 'tag'] as const)
    if (ref.startsWith(FOLDERS[kind])) return { ref: ref.slice(FOLDERS[kind].length), kinds: [kind] };
  return { ref, kinds: ['branch', 'tag'] };
}
