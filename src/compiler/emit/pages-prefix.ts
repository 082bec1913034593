import { writtenPages } from '../draft/pages.ts';
import type { JobConfig } from '../job-config.ts';
import type { Problems } from '../problems.ts';
import type { Scope } from '../variables/scope.ts';
import { slugify } from '../variables/slug.ts';
import { settle } from './settle.ts';

/** As in GitLab: lower case, 63 characters, everything else a dash. '' is the project's own site. */
export function pagesPrefixOf(config: JobConfig, scope: Scope, problems: Problems): string {
  const text = writtenPages(config)?.path_prefix ?? '';
  return slugify(settle(config, { scope, text, keyword: 'pages', path: ['path_prefix'] }, problems));
}
