/** Sites that jobs publish (`pages`): what is stored, and under which names. */
import type { Digest, ProjectSlug } from './ids.ts';

/** Maximum number of files of a site. */
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
/** One deployment. Without `site`, a newer one has replaced it, and its files may be removed. */
export interface PagesRecord {
  /** `expiresAt`: epoch ms; absent means kept. */
  site?: { digest: Digest; expiresAt?: number };
  job: string;
}

/** `prefix`: '' is the project's own site. */
export const pagesPrefix = (project: ProjectSlug, prefix: string): string =>
  `pages/${project}/${prefix === '' ? 'main' : `at-${prefix}`}`;
/**
 * Padded, so that names sort like numbers: the newest pipeline's site is served, whenever an older one ends.
 */
export const pagesName = (
  of: { project: ProjectSlug; prefix: string },
  by: { iid: number; jobId: number },
): string =>
  `${pagesPrefix(of.project, of.prefix)}/${String(by.iid).padStart(10, '0')}-${String(by.jobId).padStart(15, '0')}`;

/** Whether `path_prefix` has the form in which it appears in URLs. */
export const isSitePrefix = (text: string): boolean => /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(text);

/** Public URL of the site. */
export const pagesUrl = (server: string, project: ProjectSlug, prefix: string): string =>
  `${server}/pages/${project}${prefix === '' ? '' : `/${prefix}`}`;
