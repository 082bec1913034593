/** `pages` of a job: the published folder, its prefix and its expiry. */
import { parseDuration } from '../../plan/model/duration.ts';
import type { PagesSpec } from '../../plan/model/spec.ts';
import { pathProblem } from '../schema/keywords/common.ts';
import type { PlanContext } from './context.ts';
import type { Draft } from '../draft/draft.ts';
import { placeIn } from '../job-config.ts';
import { writtenPages } from '../draft/pages.ts';
import { settle } from './settle.ts';

/** GitLab: "extra deployments expire after 24 hours"; the main one stays. */
const PREFIXED_MS = 24 * 3_600_000;

/** Relative to the project, `public` unless the job names another. */
export function publishedFolder(draft: Draft, context: PlanContext): string | undefined {
  const { config } = draft;
  const written = writtenPages(config);
  if (!written) return undefined;
  const [keyword, path] = written.publish === undefined ? ['publish', []] : ['pages', ['publish']];
  const text = written.publish ?? config.values.publish;
  if (text === undefined) return 'public';
  const asked = settle(config, { scope: context.scope(draft), text, keyword, path }, context.problems);
  const folder = folderOf(asked);
  const trouble = pathProblem(asked) ?? (folder === '' ? 'must name a folder of the project' : undefined);
  if (trouble)
    context.problems.add('language/path', `${[keyword, ...path].join('.')} of "${draft.group}" ${trouble}`, {
      at: placeIn(config, keyword, path),
    });
  return folder;
}

/** Normalized; '' is the project itself. */
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
  const text = settle(config, ask, context.problems).trim();
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
