/**
 * Output of `git ls-remote --heads --tags` (git-ls-remote(1)): lines of `SHA TAB REF`; `REF^{}` is an
 * annotated tag's commit.
 */
import { DavitError } from '../../errors.ts';
import type { RemoteHead } from '../ports.ts';
import { isRef, isSha } from './validate.ts';

/** About 200,000 refs. */
export const MAX_HEADS_BYTES = 16 * 1_024 * 1_024;
const PEELED = '^{}';

/**
 * Refs whose names davit fetches, in git's order. Rejects with `git/unreachable` if the output was truncated:
 * a part of it would look as if branches had been deleted.
 */
export function headsOf(output: string): RemoteHead[] {
  if (Buffer.byteLength(output) >= MAX_HEADS_BYTES)
    throw new DavitError(
      'git/unreachable',
      'The repository has more branches and tags than davit can compare.',
      {
        hint: 'Set `reconcile: false` for the project; webhook deliveries still start pipelines.',
      },
    );
  const found = new Map<string, RemoteHead>();
  for (const line of output.split('\n')) {
    const [sha = '', name = ''] = line.split('\t');
    const ref = name.endsWith(PEELED) ? name.slice(0, -PEELED.length) : name;
    if (!isSha(sha) || !isRef(ref.replace(/^refs\/(heads|tags)\//, ''))) continue;
    const known = found.get(ref);
    found.set(ref, known ? { ...known, commit: sha } : { ref, sha, commit: sha });
  }
  return [...found.values()];
}
