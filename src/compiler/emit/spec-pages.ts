/** `pages` of a job: which folder is published, under which prefix and for how long. */
import { parseDuration } from '../../plan/model/duration.ts';
import type { PagesSpec } from '../../plan/model/spec.ts';
import { placeIn, type JobConfig } from '../assemble/job.ts';
import { pathProblem } from '../schema/keywords/common.ts';
import type { Problems } from '../problems.ts';
import type { Scope } from '../variables/scope.ts';
import { slugify } from '../variables/slug.ts';
import type { PlanContext } from './context.ts';
import type { Draft } from '../draft/draft.ts';

/** GitLab: "extra deployments expire after 24 hours"; the main one stays. */
const PREFIXED_MS = 24 * 3_600_000;

interface Written {
  publish?: string;
  path_prefix?: string;
  expire_in?: string;
}

/** What a job writes of its site; undefined when it publishes none. The job named `pages` does unless it says otherwise. */
export function writtenPages({ kind, name, values }: JobConfig): Written | undefined {
  const { pages } = values;
  if ((kind !== 'script' && kind !== 'apitest') || pages === false) return undefined;
  if (pages === undefined && name !== 'pages') return undefined;
  return typeof pages === 'object' ? pages : {};
}

/** Checked for every job of the file. */
export function checkPages(job: JobConfig, { problems }: { problems: Problems }): void {
  if (job.values.publish === undefined) return;
  const written = writtenPages(job);
  const trouble = !written
    ? 'is for jobs that publish a site: write pages: true, or pages: publish'
    : written.publish !== undefined
      ? 'and pages: publish name the same thing twice'
      : undefined;
  if (trouble)
    problems.add('language/conflict', `publish of "${job.name}" ${trouble}`, { at: placeIn(job, 'publish') });
}

type Settling = Pick<PlanContext, 'settle'>;

/** In GitLab's words: lower case, 63 characters, everything else a dash. '' is the project's own site. */
export function pagesPrefixOf(config: JobConfig, scope: Scope, context: Settling): string {
  const text = writtenPages(config)?.path_prefix ?? '';
  return slugify(context.settle(config, { scope, text, keyword: 'pages', path: ['path_prefix'] }));
}

/** Relative to the project, `public` unless the job names another. */
export function publishedFolder(draft: Draft, context: PlanContext): string | undefined {
  const { config } = draft;
  const written = writtenPages(config);
  if (!written) return undefined;
  const [keyword, path] = written.publish === undefined ? ['publish', []] : ['pages', ['publish']];
  const text = written.publish ?? config.values.publish;
  if (text === undefined) return 'public';
  const asked = context.settle(config, { scope: context.scope(draft), text, keyword, path });
  const folder = folderOf(asked);
  const trouble = pathProblem(asked) ?? (folder === '' ? 'must name a folder of the project' : undefined);
  if (trouble)
    context.problems.add('language/path', `${[keyword, ...path].join('.')} of "${draft.group}" ${trouble}`, {
      at: placeIn(config, keyword, path),
    });
  return folder;
}

/** Without what means nothing in it; '' is the project itself. */
function folderOf(path: string): string {
  const parts: string[] = [];
  for (const part of path.split('/'))
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  return parts.join('/');
}

export function pagesSpec(draft: Draft, context: PlanContext): PagesSpec | undefined {
  const folder = publishedFolder(draft, context);
  if (folder === undefined) return undefined;
  const prefix = context.prepared(draft).prefix;
  const expireInMs = expiry(draft, context, prefix);
  return { folder, prefix, ...(expireInMs !== undefined && { expireInMs }) };
}

function expiry(draft: Draft, context: PlanContext, prefix: string): number | undefined {
  const { config } = draft;
  const written = writtenPages(config)?.expire_in;
  const byDefault = prefix === '' ? undefined : PREFIXED_MS;
  if (written === undefined) return byDefault;
  const path = ['expire_in'];
  const ask = { scope: context.scope(draft), text: written, keyword: 'pages', path };
  const text = context.settle(config, ask).trim();
  if (text === 'never') return undefined;
  const ms = text === '' ? byDefault : parseDuration(text);
  if (text !== '' && (ms === undefined || ms <= 0))
    context.problems.add(
      'language/type',
      `pages.expire_in of "${draft.group}" must be a duration like 2 hours or 1 week, or never, not "${text}"`,
      { at: placeIn(config, 'pages', path) },
    );
  return ms;
}
