import type { JobConfig } from '../job-config.ts';

/** `pages` as the file has it. */
export interface WrittenPages {
  publish?: string;
  path_prefix?: string;
  expire_in?: string;
}

/** What a job writes of its site; undefined when it publishes none. The job named `pages` does unless it says otherwise. */
export function writtenPages({ kind, name, values }: JobConfig): WrittenPages | undefined {
  const { pages } = values;
  if ((kind !== 'script' && kind !== 'apitest') || pages === false) return undefined;
  if (pages === undefined && name !== 'pages') return undefined;
  return typeof pages === 'object' ? pages : {};
}
