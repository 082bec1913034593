/** Sites that jobs publish (`pages`): what is kept of one, and under which names. */
import type { Digest, ProjectSlug } from './ids.ts';

/** Files that a site may have. */
export const MAX_SITE_FILES = 100_000;

export interface SiteFile {
  digest: Digest;
  bytes: number;
}
/** Blob: every file of a site by its path, `css/main.css`. Links are resolved. */
export interface SiteIndex {
  version: 1;
  files: Record<string, SiteFile>;
}
/** One deployment. Without `site`: a newer one has taken its place, and its files may go. */
export interface PagesRecord {
  /** `expiresAt`: epoch ms; absent means kept. */
  site?: { digest: Digest; expiresAt?: number };
  job: string;
}

/** `prefix`: '' is the project's own site. */
export const pagesPrefix = (project: ProjectSlug, prefix: string): string =>
  `pages/${project}/${prefix === '' ? 'main' : `at-${prefix}`}`;
/** Padded, so that names sort as numbers do: the newest pipeline's is served, whenever an older one ends. */
export const pagesName = (
  of: { project: ProjectSlug; prefix: string },
  by: { iid: number; jobId: number },
): string =>
  `${pagesPrefix(of.project, of.prefix)}/${String(by.iid).padStart(10, '0')}-${String(by.jobId).padStart(15, '0')}`;

/** As `path_prefix` is written in an address: what davit makes of it never differs from this. */
export const isSitePrefix = (text: string): boolean => /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(text);

/** Where people find it. */
export const pagesUrl = (server: string, project: ProjectSlug, prefix: string): string =>
  `${server}/pages/${project}${prefix === '' ? '' : `/${prefix}`}`;
