import type { JobConfig } from '../job-config.ts';

/** `pages` as the file has it. */
export interface WrittenPages {
  publish?: string;
  path_prefix?: string;
  expire_in?: string;
}

/**
 * The site settings of a job; undefined when it publishes none. A job named `pages` publishes unless it has
 * `pages: false`.
 */
export function writtenPages({ kind, name, values }: JobConfig): WrittenPages | undefined {
  const { pages } = values;
  if ((kind !== 'script' && kind !== 'apitest') || pages === false) return undefined;
  if (pages === undefined && name !== 'pages') return undefined;
  return typeof pages === 'object' ? pages : {};
}
