/** What cannot be combined with `parallel`, and where one image is required. */
import { platformsOf } from '../draft/draft.ts';
import { imageNames, needTargets } from '../draft/link.ts';
import { placeIn, type JobConfig } from '../job-config.ts';
import type { CheckContext } from './check-context.ts';

export function checkParallel(job: JobConfig, context: CheckContext): void {
  checkMeaning(job, context);
  checkImages(job, context);
}

function checkMeaning(job: JobConfig, { jobs, problems }: CheckContext): void {
  const { parallel } = job.values;
  if (parallel === undefined) return;
  const conflict = (text: string, hint: string): void =>
    problems.add('language/conflict', text, { at: placeIn(job, 'parallel'), hint });
  const platforms = platformsOf(job, jobs);
  if (platforms)
    conflict(
      `"${job.name}" already runs once per platform (${platforms.join(', ')}), so it cannot have parallel`,
      'Remove platforms and name the architecture with a matrix variable in tags, or write two jobs.',
    );
  else if (typeof parallel === 'number' && job.kind !== 'script' && job.kind !== 'apitest')
    conflict(
      `"${job.name}" would do the same ${job.kind} ${parallel} times`,
      'Use parallel:matrix to give each of them variables of its own.',
    );
}

/** One image is required; a push takes one per architecture. */
function checkImages(job: JobConfig, { drafts, problems }: CheckContext): void {
  const { kind } = job;
  if (kind !== 'apitest' && kind !== 'push' && kind !== 'deploy') return;
  const own = drafts.named.get(job.name)?.[0];
  if (!own) return;
  const arches = new Set<string>();
  for (const { name, path } of imageNames(own)) {
    const made = needTargets(own, name, drafts).filter((other) => other.share);
    const twice = kind === 'push' ? made.some(({ arch }) => has(arches, arch ?? '')) : made.length > 1;
    if (twice)
      problems.add('language/conflict', `"${name}" builds several images, but "${job.name}" takes one`, {
        at: placeIn(job, kind, path),
        hint: `Name one of them: ${made.map((other) => `"${other.key}"`).join(', ')}`,
      });
  }
}

function has(seen: Set<string>, value: string): boolean {
  const known = seen.has(value);
  seen.add(value);
  return known;
}

/** `job 1/2` may also be the name of another job: keys must be unique. */
export function checkKeys({ drafts, problems }: CheckContext): void {
  const seen = new Map<string, string>();
  for (const draft of drafts.all) {
    const other = seen.get(draft.key);
    if (other !== undefined && other !== draft.group)
      problems.add('language/conflict', `"${other}" and "${draft.group}" both create a job "${draft.key}"`, {
        at: draft.config.at,
      });
    seen.set(draft.key, draft.group);
  }
}
