/**
 * What `include` requests from outside, and the results: plain JSON, kept with the pipeline, so that the same
 * pipeline is always assembled from the same texts.
 */

/** A repository as people write it: `group/project`, with the host where a component names one. */
export interface IncludeRepository {
  path: string;
  host?: string;
}
export type IncludeWant =
  /** Commit of a branch, tag or sha; undefined: of the default branch. */
  | { kind: 'ref'; repository: IncludeRepository; ref?: string }
  /** Commit of a component's version: a sha, tag or branch, `~latest`, `1`, `1.2`. */
  | { kind: 'version'; repository: IncludeRepository; version: string }
  | { kind: 'file'; repository: IncludeRepository; sha: string; path: string }
  /** Every file of a commit. */
  | { kind: 'list'; repository: IncludeRepository; sha: string }
  /** `integrity`: base64 of a sha-256. `cacheMs`: a copy of at most that age is enough. */
  | { kind: 'remote'; url: string; integrity?: string; cacheMs?: number }
  /** One of GitLab's own templates. */
  | { kind: 'template'; name: string };

export interface IncludeRefusal {
  code: 'include/refused' | 'include/unreachable' | 'include/integrity' | 'include/timeout';
  message: string;
  hint?: string;
  /** A later request may succeed: such a result is never kept. */
  outage?: boolean;
}
export type IncludeAnswer =
  | { refused: IncludeRefusal }
  /** `version`: the tag that a partial version resolved to. */
  | { sha: string; version?: string }
  /** null: there is no such file. `warning`: a fetch might return another text now. */
  | { text: string | null; warning?: string }
  | { files: string[] };

/** By `includeKey`. */
export type IncludeAnswers = Readonly<Record<string, IncludeAnswer>>;

/** Whether the key is that of a file from an https server, and not of a repository. */
export const isRemoteKey = (key: string): boolean => key.startsWith('remote ');

/** Equal for equal wants, and readable in a stored document. */
export function includeKey(want: IncludeWant): string {
  if (want.kind === 'remote')
    return `remote ${want.url}${want.integrity === undefined ? '' : ` ${want.integrity}`}`;
  if (want.kind === 'template') return `template ${want.name}`;
  const { host, path } = want.repository;
  const repository = `${host === undefined ? '' : `${host}/`}${path}`;
  if (want.kind === 'ref') return `ref ${repository} ${want.ref ?? ''}`;
  if (want.kind === 'version') return `version ${repository} ${want.version}`;
  return want.kind === 'file'
    ? `file ${repository} ${want.sha} ${want.path}`
    : `list ${repository} ${want.sha}`;
}
