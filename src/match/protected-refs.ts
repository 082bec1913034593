/**
 * Which refs of a project are protected. Branches and tags have lists of their own: a tag with the name of a
 * branch is not the branch.
 *
 * PROTECT-1 If it is unknown whether a ref is protected, it gets no protected secret, and starting it needs the
 *           rights of a protected one.
 */
import { forgeProtects, type ForgeProtection } from './forge-refs.ts';
import { wildcardMatches } from './wildcard.ts';

export interface ProtectedRefLists {
  /** Replaces `protected_refs`. */
  protected_branches?: readonly string[] | undefined;
  protected_tags?: readonly string[] | undefined;
  /** The former list; it names branches. */
  protected_refs: readonly string[];
  /** `forge`: the lists above are not used. */
  protected_from?: 'file' | 'forge' | undefined;
  /** What the forge was last known to protect. */
  forge_protects?: ForgeProtection | undefined;
}
export type RefKind = 'branch' | 'tag' | 'merge_request';

/** `ref` without refs/heads/ or refs/tags/. A merge request is never protected, whatever its branch is called. */
export function refProtection(
  lists: ProtectedRefLists,
  refKind: RefKind,
  ref: string,
): 'protected' | 'unprotected' | 'unknown' {
  if (refKind === 'merge_request') return 'unprotected';
  if (lists.protected_from === 'forge') {
    const { forge_protects: forge } = lists;
    return forge ? forgeProtects(refKind === 'tag' ? forge.tags : forge.branches, ref) : 'unknown';
  }
  const patterns =
    refKind === 'tag' ? (lists.protected_tags ?? []) : (lists.protected_branches ?? lists.protected_refs);
  return patterns.some((pattern) => wildcardMatches(pattern, ref)) ? 'protected' : 'unprotected';
}

/** Decides what a ref gets, such as protected variables. PROTECT-1 */
export const isProtectedRef = (lists: ProtectedRefLists, refKind: RefKind, ref: string): boolean =>
  refProtection(lists, refKind, ref) === 'protected';

/** Decides which rights a ref needs. PROTECT-1 */
export const needsProtectedRight = (lists: ProtectedRefLists, refKind: RefKind, ref: string): boolean =>
  refProtection(lists, refKind, ref) !== 'unprotected';
