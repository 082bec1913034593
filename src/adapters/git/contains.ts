/**
 * Whether a branch or a tag holds a commit: asked before what a person names by its hash counts as a commit
 * of that ref.
 */
import type { HeldCommit } from '../ports.ts';
import { expectOk, throwIfFatal } from './git-errors.ts';
import { emptyRepository, fetchInto } from './repository.ts';
import type { GitWorkspace } from './run.ts';

const HERE = 'refs/davit/held';

/** A ref that the repository does not have holds nothing. Rejects with `git/unreachable` and `git/denied`. */
export async function containsCommit(place: GitWorkspace, url: string, commit: HeldCommit): Promise<boolean> {
  const inRepo = await emptyRepository(place, url);
  const name = `refs/${commit.tag ? 'tags' : 'heads'}/${commit.ref}`;
  const fetched = await fetchInto(inRepo, {
    from: 'origin',
    refs: [`+${name}:${HERE}`],
    options: ['--filter=tree:0'],
  });
  if (fetched.code !== 0) {
    throwIfFatal(fetched);
    return false;
  }
  const head = (await expectOk(inRepo('rev-parse', '--verify', `${HERE}^{commit}`))).trim();
  if (head === commit.sha) return true;
  // A tag names one commit. Only a branch is a history.
  if (commit.tag) return false;
  const found = await inRepo('merge-base', '--is-ancestor', commit.sha, HERE);
  return found.code === 0;
}
