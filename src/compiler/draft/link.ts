/**
 * Links drafts: needs, artifacts, images, what a gate requires. `check-jobs.ts` reports names that the file
 * does not have; this file reports jobs that are not in this pipeline.
 */
import type { Need } from '../../plan/model/plan.ts';
import type { Problems } from '../problems.ts';
import type { JobValues } from '../schema/keyword-table.ts';
import { mirrorOf } from '../schema/keywords/needs.ts';
import { didYouMean } from '../suggest.ts';
import { transfersArtifacts, type Draft, type Drafts } from './draft.ts';
import { neededKeys } from './parallel.ts';
import { placeIn } from '../job-config.ts';
import { writtenPages } from './pages.ts';

export function linkDrafts(drafts: Drafts, problems: Problems): void {
  const before = artifactsBefore(drafts);
  let artifacts = 0;
  let needs = 0;
  for (const draft of drafts.all) {
    if (!draft.included) continue;
    draft.imagesFrom = imagesOf(draft, drafts).map((image) => image.key);
    draft.requires = gateRequires(draft, drafts, problems);
    draft.needs = needs > MAX_NEEDS ? [] : needsOf(draft, drafts, problems);
    needs += draft.needs?.length ?? 0;
    draft.artifactsFrom = artifacts > MAX_ARTIFACTS ? [] : artifactsOf({ draft, drafts, before });
    artifacts += draft.artifactsFrom.length;
    checkImages(draft, drafts, problems);
  }
  if (needs > MAX_NEEDS)
    problems.add('language/too-large', 'the jobs have more than a million needs in total', {
      hint: 'A need on a parallel job means all of its jobs; needs:parallel:matrix selects some of them.',
    });
  if (artifacts > MAX_ARTIFACTS)
    problems.add('language/too-large', 'the jobs take artifacts from more than a million jobs in total', {
      hint: 'Select the artifacts of a job with dependencies or needs; `dependencies: []` takes none.',
    });
}

/** The drafts that a name means for this one: a draft of one platform refers to the same platform. */
export function needTargets(draft: Draft, name: string, drafts: Drafts): Draft[] {
  const found = drafts.named.get(name) ?? [];
  if (!draft.byPlatform || found.length < 2) return found;
  const same = found.filter((other) => other.arch === draft.arch);
  return same.length > 0 ? same : found;
}

/** Names of jobs whose image this one tests, pushes or deploys. */
export function imageNames({ config: { values } }: Draft): { name: string; path: (string | number)[] }[] {
  if (values.apitest) return [{ name: values.apitest.image_from, path: ['image_from'] }];
  if (values.push) return values.push.from.map((name, index) => ({ name, path: ['from', index] }));
  const from = values.deploy?.swarm.image_from;
  return from === undefined ? [] : [{ name: from, path: ['swarm', 'image_from'] }];
}

function imagesOf(draft: Draft, drafts: Drafts): Draft[] {
  return imageNames(draft)
    .flatMap(({ name }) => needTargets(draft, name, drafts))
    .filter((image) => image.included);
}

function checkImages(draft: Draft, drafts: Drafts, problems: Problems): void {
  for (const { name, path } of imageNames(draft)) {
    const found = needTargets(draft, name, drafts);
    if (found.length === 0 || found.some((image) => image.included)) continue;
    const at = placeIn(draft.config, draft.config.kind, path);
    problems.add('language/absent-job', absentText(draft, name, found), { at });
  }
}

function gateRequires(draft: Draft, drafts: Drafts, problems: Problems): string[] {
  const names = draft.config.values.gate?.requires ?? [];
  return names.flatMap((name, index) => {
    const found = drafts.named.get(name) ?? [];
    const present = found.filter((other) => other.included);
    if (found.length > 0 && present.length === 0)
      problems.add('language/absent-job', absentText(draft, name, found), {
        at: placeIn(draft.config, 'gate', ['requires', index]),
      });
    return present.map((other) => other.key);
  });
}

const absentText = (draft: Draft, name: string, found: readonly Draft[]): string =>
  `"${draft.group}" needs "${name}", which is not in this pipeline: ${found[0]?.reason ?? ''}`;

/** Null: the stages decide the order. With needs, images and the jobs of a gate are needs too. */
function needsOf(draft: Draft, drafts: Drafts, problems: Problems): Need[] | null {
  const { listed } = draft;
  // A job that only mirrors a pipeline is ordered by stage, as in GitLab.
  if (!listed || (mirrorOf(listed) !== undefined && listed.every((need) => need.from))) return null;
  const needs = new Map<string, Need>();
  for (const [index, need] of listed.entries()) {
    if (need.from) continue;
    const found = needed(draft, need, { drafts, problems, index });
    const present = found.filter((other) => other.included);
    if (present.length === 0 && !need.optional && found.length > 0)
      problems.add('language/absent-job', absentText(draft, need.job, found), {
        at: placeIn(draft.config, 'needs', [index]),
      });
    for (const other of present)
      needs.set(other.key, { job: other.key, artifacts: need.artifacts, optional: need.optional });
  }
  for (const key of [...draft.imagesFrom, ...draft.requires])
    if (!needs.has(key)) needs.set(key, { job: key, artifacts: false, optional: false });
  return [...needs.values()];
}

interface NeedContext {
  drafts: Drafts;
  problems: Problems;
  index: number;
}

/** The drafts of a need: all of the job, or the parallel ones that it names. */
function needed(draft: Draft, need: NonNullable<JobValues['needs']>[number], context: NeedContext): Draft[] {
  if (!need.parallel) return needTargets(draft, need.job, context.drafts);
  const keys = neededKeys({ job: need.job, matrix: need.parallel.matrix }, draft.share);
  return keys.flatMap((key) => {
    const found = context.drafts.named.get(key) ?? [];
    const others = context.drafts.named.get(need.job) ?? [];
    if (found.length === 0 && others.length > 0 && !need.optional)
      context.problems.add(
        'language/unknown-job',
        `"${draft.group}" needs "${key}", but there is no such job`,
        {
          at: placeIn(draft.config, 'needs', [context.index, 'parallel']),
          hint: didYouMean(
            key,
            others.map((other) => other.key),
          ),
        },
      );
    return found;
  });
}

const givesArtifacts = (draft: Draft): boolean =>
  draft.included &&
  (draft.config.values.artifacts !== undefined || writtenPages(draft.config) !== undefined) &&
  transfersArtifacts(draft, 'give');

/** Total needs of all jobs of a plan. */
const MAX_NEEDS = 1_000_000;
/** Total artifacts that all jobs of a plan may take; limits the size of the plan. */
const MAX_ARTIFACTS = 1_000_000;

/**
 * For each stage the jobs of earlier stages with artifacts, in order; one list per stage, shared by its jobs.
 */
function artifactsBefore(drafts: Drafts): (stageIndex: number) => string[] {
  const givers = drafts.all
    .filter(givesArtifacts)
    .sort((a, b) => a.stageIndex - b.stageIndex || a.order - b.order);
  const keys = givers.map((giver) => giver.key);
  const before = new Map<number, string[]>();
  return (stageIndex) => {
    let list = before.get(stageIndex);
    if (!list) {
      const end = givers.findIndex((giver) => giver.stageIndex >= stageIndex);
      list = end === -1 ? keys : keys.slice(0, end);
      before.set(stageIndex, list);
    }
    return list;
  };
}

interface ArtifactLink {
  draft: Draft;
  drafts: Drafts;
  before: (stageIndex: number) => string[];
}

function artifactsOf({ draft, drafts, before }: ArtifactLink): string[] {
  if (!transfersArtifacts(draft, 'take')) return [];
  const dependencies = draft.config.values.dependencies;
  const allowed = dependencies && new Set(dependencies.flatMap((name) => needTargets(draft, name, drafts)));
  if (draft.needs) {
    const giving = draft.needs.filter((need) => need.artifacts).map((need) => need.job);
    return giving.filter((key) => {
      const other = drafts.named.get(key)?.find((found) => found.key === key);
      return other !== undefined && givesArtifacts(other) && (!allowed || allowed.has(other));
    });
  }
  if (allowed) return [...allowed].filter(givesArtifacts).map((other) => other.key);
  return before(draft.stageIndex);
}
