/** Resolves a ref or a component's version to a commit, from the refs of a server (pure). */
export type Refs = Readonly<Record<string, string>>;

const SHA = /^[0-9a-f]{40}([0-9a-f]{24})?$/;
const PARTIAL = /^(\d+)(?:\.(\d+))?$/;
/**
 * Semantic versions without a pre-release part: `~latest` and partial versions skip pre-releases, as in
 * GitLab.
 */
const RELEASE = /^v?(\d+)\.(\d+)\.(\d+)(?:\+[\w.-]+)?$/;

/**
 * The ref patterns to request; undefined for a full SHA, which needs no request. Pattern characters of git
 * match nothing.
 */
export function patternsOf(ref: string | undefined): string[] | undefined {
  if (ref === undefined) return ['HEAD'];
  if (SHA.test(ref)) return undefined;
  if (ref.startsWith('refs/')) return [ref];
  return [`refs/tags/${ref}`, `refs/heads/${ref}`];
}

/** A tag before a branch of the same name. */
export function shaOf(refs: Refs, ref: string | undefined): string | undefined {
  for (const name of patternsOf(ref) ?? []) if (refs[name] !== undefined) return refs[name];
  return SHA.test(ref ?? '') ? ref : undefined;
}

export const isFloating = (version: string): boolean => version === '~latest' || PARTIAL.test(version);

/**
 * `version` is the tag found. `~latest` is the highest release, `1` the highest 1.x.y, else the tag, branch
 * or sha.
 */
export function versionOf(refs: Refs, version: string): { sha: string; version?: string } | undefined {
  if (SHA.test(version)) return { sha: version };
  const tag = isFloating(version) ? highest(refs, version) : undefined;
  const name = tag ?? version;
  const sha = refs[`refs/tags/${name}`];
  if (sha !== undefined) return { sha, version: name };
  const branch = refs[`refs/heads/${name}`];
  return branch === undefined ? undefined : { sha: branch };
}

function highest(refs: Refs, wanted: string): string | undefined {
  const [, major, minor] = PARTIAL.exec(wanted) ?? [];
  let best: { tag: string; numbers: bigint[] } | undefined;
  for (const name of Object.keys(refs)) {
    const tag = name.startsWith('refs/tags/') ? name.slice('refs/tags/'.length) : '';
    const found = RELEASE.exec(tag);
    if (!found) continue;
    const numbers = found.slice(1, 4).map(BigInt);
    if (major !== undefined && numbers[0] !== BigInt(major)) continue;
    if (minor !== undefined && numbers[1] !== BigInt(minor)) continue;
    if (!best || isHigher(numbers, best.numbers)) best = { tag, numbers };
  }
  return best?.tag;
}

function isHigher(one: readonly bigint[], other: readonly bigint[]): boolean {
  const at = one.findIndex((number, index) => number !== other[index]);
  return at !== -1 && (one[at] ?? 0n) > (other[at] ?? 0n);
}
