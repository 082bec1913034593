/** What the operator has written about clones: protocols beside the default ones, authorities, plain http. */
import { DEFAULT_PROTOCOLS, type GitProtocol } from './validate.ts';

interface CloneSettings {
  clone_url?: string | undefined;
  forge_url?: string | undefined;
  forge_ca_file?: string | undefined;
  allow_http?: boolean | undefined;
}

export const cloneOptions = (
  projects: readonly CloneSettings[],
): {
  protocols: GitProtocol[];
  authorities: ReadonlyMap<string, string>;
  plainOrigins: ReadonlySet<string>;
} => ({
  protocols: cloneProtocols(projects),
  plainOrigins: new Set(
    projects.flatMap(({ clone_url, forge_url, allow_http }) =>
      allow_http === true
        ? [clone_url, forge_url]
            .filter((url) => url !== undefined && URL.canParse(url))
            .map((url) => new URL(url ?? '').origin)
        : [],
    ),
  ),
  authorities: new Map(
    projects.flatMap(({ clone_url, forge_url, forge_ca_file }) =>
      forge_ca_file === undefined
        ? []
        : [clone_url, forge_url]
            .filter((url) => url !== undefined && /^https:/.test(url) && URL.canParse(url))
            .map((url): [string, string] => [new URL(url ?? '').origin, forge_ca_file]),
    ),
  ),
});

export function cloneProtocols(projects: readonly { clone_url?: string | undefined }[]): GitProtocol[] {
  const own = projects.flatMap((project): GitProtocol[] => {
    if (project.clone_url?.startsWith('http://')) return ['http'];
    if (project.clone_url?.startsWith('file://')) return ['file'];
    return [];
  });
  return [...new Set([...DEFAULT_PROTOCOLS, ...own])];
}
