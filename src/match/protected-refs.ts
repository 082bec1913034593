/**
 * Which refs of a project are protected. Branches and tags have lists of their own: a tag with the name of a
 * branch is not the branch.
 */
import { wildcardMatches } from './wildcard.ts';

export interface ProtectedRefLists {
  /** Replaces `protected_refs`. */
  protected_branches?: readonly string[] | undefined;
  protected_tags?: readonly string[] | undefined;
  /** The former list; it names branches. */
  protected_refs: readonly string[];
}

/**
 * `ref` without refs/heads/ or refs/tags/. A merge request is never protected, whatever its branch is called.
 */
export function isProtectedRef(
  lists: ProtectedRefLists,
  refKind: 'branch' | 'tag' | 'merge_request',
  ref: string,
): boolean {
  if (refKind === 'merge_request') return false;
  const patterns =
    refKind === 'tag' ? (lists.protected_tags ?? []) : (lists.protected_branches ?? lists.protected_refs);
  return patterns.some((pattern) => wildcardMatches(pattern, ref));
}
