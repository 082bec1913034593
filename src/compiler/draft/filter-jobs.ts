import type { Problems } from '../problems.ts';
import { didYouMean } from '../suggest.ts';
import type { Draft, Drafts } from './draft.ts';
import { reachable } from './graph.ts';

/**
 * For `davit run JOB…`: keeps these jobs and what they need. A named manual job starts; a gate stays a gate.
 */
export function filterJobs(drafts: Drafts, names: readonly string[], problems: Problems): void {
  const asked: Draft[] = [];
  for (const name of names) {
    const found = drafts.named.get(name);
    if (!found) {
      const hint = didYouMean(name, drafts.named.keys());
      problems.add('language/unknown-job', `the file has no job "${name}"`, { hint });
      continue;
    }
    const present = found.filter((draft) => draft.included);
    if (present.length === 0)
      problems.add('language/absent-job', `"${name}" is not in this pipeline: ${found[0]?.reason ?? ''}`);
    asked.push(...present);
  }
  const keyed = new Map(drafts.all.map((draft) => [draft.key, draft]));
  const kept = reachable(
    asked.map((draft) => draft.key),
    (key) => {
      const draft = keyed.get(key);
      return draft ? neededBy(draft) : [];
    },
  );
  for (const draft of drafts.all)
    if (draft.included && !kept.has(draft.key)) {
      draft.included = false;
      draft.reason = 'it was not requested';
    }
  for (const draft of asked)
    if (draft.when === 'manual' && !draft.config.values.gate) {
      draft.when = 'on_success';
      draft.allowFailure = draft.config.values.allow_failure ?? false;
    }
}

const neededBy = (draft: Draft): string[] => [
  ...(draft.needs ?? []).map((need) => need.job),
  ...draft.artifactsFrom,
  ...draft.imagesFrom,
  ...draft.requires,
];
