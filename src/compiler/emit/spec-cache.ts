import type { CacheSpec } from '../../plan/model/spec.ts';
import { POLICIES, type WrittenCache } from '../schema/keywords/cache.ts';
import { pathProblem } from '../schema/keywords/common.ts';
import { projectDir } from '../variables/predefined.ts';
import { isUnknownHere } from '../variables/unknown-here.ts';
import type { PlanContext } from './context.ts';
import type { Draft } from '../draft/draft.ts';
import { placeIn } from '../job-config.ts';

/**
 * The caches of a job that have any paths. The worker skips a path outside of the project; the warning is
 * here.
 */
export function cachesSpec(draft: Draft, context: PlanContext): CacheSpec[] {
  return (draft.config.values.cache ?? [])
    .map((written, index) => cacheSpec({ draft, context, written, index }))
    .filter((cache) => cache.paths.length > 0 || cache.untracked);
}

interface CacheRequest {
  draft: Draft;
  context: PlanContext;
  written: WrittenCache;
  index: number;
}

function cacheSpec(cache: CacheRequest): CacheSpec {
  const { draft, context, written } = cache;
  const scope = context.scope(draft);
  const expand = (text: string): string => scope.expand(text).text;
  // What GitLab's runner uses for an empty key.
  const ownKey = written.key === '' ? '$CI_JOB_NAME/$CI_COMMIT_REF_NAME' : (written.key ?? 'default');
  const key = typeof ownKey === 'object' ? undefined : ownKey;
  const files = typeof written.key === 'object' ? written.key : undefined;
  return {
    key: files?.files_commits
      ? keyOfCommits(cache, { files: files.files_commits, prefix: expand(files.prefix ?? '') })
      : expand(key ?? files?.prefix ?? ''),
    ...(files?.files && { keyFiles: files.files.map(expand) }),
    paths: (written.paths ?? []).map((path, at) => cachePath(cache, path, at)),
    untracked: written.untracked ?? false,
    unprotect: written.unprotect ?? false,
    policy: policyOf(cache),
    when: written.when ?? 'on_success',
    fallbackKeys: (written.fallback_keys ?? []).map(expand),
  };
}

/**
 * The last commits that changed these files: another commit is another cache. Without any it is `default`.
 */
function keyOfCommits(
  { context, index }: CacheRequest,
  { files, prefix }: { files: readonly string[]; prefix: string },
): string {
  const commits = files.flatMap((file) => context.request.lastCommits?.[file] ?? []);
  const before = prefix !== '' ? prefix : index > 0 ? String(index) : undefined;
  const unique = [...new Set(commits)];
  return [...(before === undefined ? [] : [before]), ...(unique.length > 0 ? unique : ['default'])].join('-');
}

function cachePath({ draft, context, index }: CacheRequest, path: string, at: number): string {
  const scope = context.scope(draft);
  const { text, late } = scope.expand(path);
  const root = projectDir(context.request);
  const inside = text === root ? '.' : text.startsWith(`${root}/`) ? text.slice(root.length + 1) : text;
  const trouble = inside.startsWith('/')
    ? `leads out of the project, so it is not cached`
    : pathProblem(inside);
  if (trouble && !late && !isUnknownHere(path, scope, context.request))
    context.problems.add('language/path', `cache path "${text}" of "${draft.group}" ${trouble}`, {
      at: placeIn(draft.config, 'cache', [index, 'paths', at]),
      severity: 'warning',
    });
  return inside;
}

/** Expanded here if possible, so that a wrong value is reported with its place. */
function policyOf({ draft, context, written, index }: CacheRequest): string {
  if (written.policy === undefined) return 'pull-push';
  const scope = context.scope(draft);
  const { text, late } = scope.expand(written.policy);
  if (isUnknownHere(written.policy, scope, context.request)) return text;
  if (!late && !POLICIES.some((one) => one === text))
    context.problems.add(
      'language/type',
      `cache.policy of "${draft.group}" must be "pull-push", "pull" or "push", not "${text}"`,
      { at: placeIn(draft.config, 'cache', [index, 'policy']) },
    );
  return text;
}
