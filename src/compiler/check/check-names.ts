/** Names of other jobs: they must exist, run early enough, be of the right kind, and form no cycle. */
import { didYouMean } from '../suggest.ts';
import { ruleKey, itemNodes } from '../yaml/rule-nodes.ts';
import { isNull, type Node, type Path } from '../yaml/nodes.ts';
import type { Draft } from '../draft/draft.ts';
import { findCycles } from '../draft/graph.ts';
import { imageNames } from '../draft/link.ts';
import { placeIn, type JobConfig } from '../job-config.ts';
import type { CheckContext } from './check-context.ts';

interface Reference {
  name: string;
  keyword: string;
  path: Path;
  optional: boolean;
  /** The place of the name, if known. */
  at?: Node;
}

/** Read from the nodes, so that one mistake in the list does not hide the others. */
function neededNames(job: JobConfig): Reference[] {
  const own = namesIn(job.entries.get('needs')?.value).map((need) => ({ ...need, keyword: 'needs' }));
  const ruled = itemNodes(job.entries.get('rules')?.value).flatMap((rule) => namesIn(ruleKey(rule, 'needs')));
  return [...own, ...ruled.map((need) => ({ ...need, keyword: 'rules:needs' }))];
}

function namesIn(list: Node | undefined): Omit<Reference, 'keyword'>[] {
  if (list?.kind !== 'list') return [];
  return list.items.flatMap((item, index): Omit<Reference, 'keyword'>[] => {
    if (item.kind === 'scalar' && typeof item.value === 'string')
      return [{ name: item.value, path: [index], at: item, optional: false }];
    if (item.kind !== 'map') return [];
    // A job of another pipeline is not in this file.
    if (['project', 'pipeline'].some((key) => item.entries.has(key))) return [];
    const name = item.entries.get('job')?.value;
    const optional = item.entries.get('optional')?.value;
    if (name?.kind !== 'scalar' || isNull(name)) return [];
    const isOptional = optional?.kind === 'scalar' && optional.value === true;
    return [{ name: name.text, path: [index, 'job'], at: name, optional: isOptional }];
  });
}

function referencesOf(job: JobConfig, draft: Draft | undefined): Reference[] {
  const { values } = job;
  const list = (keyword: string, names: readonly string[], prefix: Path = []): Reference[] =>
    names.map((name, index) => ({ name, keyword, path: [...prefix, index], optional: false }));
  return [
    ...neededNames(job),
    ...list('dependencies', values.dependencies ?? []),
    ...list('gate', values.gate?.requires ?? [], ['requires']),
    ...(draft ? imageNames(draft) : []).map((image) => ({ ...image, keyword: job.kind, optional: false })),
  ];
}

export function checkNames(job: JobConfig, context: CheckContext): void {
  const { drafts, problems } = context;
  const own = drafts.named.get(job.name)?.[0];
  for (const reference of referencesOf(job, own)) {
    const { name, keyword } = reference;
    const at = reference.at ?? placeIn(job, keyword, reference.path);
    const other = drafts.named.get(name)?.[0];
    if (!other) {
      if (reference.optional) continue;
      problems.add(
        'language/unknown-job',
        `"${job.name}" names "${name}" in ${keyword}, but there is no such job`,
        { at, hint: () => didYouMean(name, context.jobs.keys()) },
      );
    } else if (own && own.stageIndex !== -1 && other.stageIndex > own.stageIndex)
      problems.add(
        'language/order',
        `"${job.name}" names "${name}" in ${keyword}, which is in the later stage "${other.stage}"`,
        { at },
      );
    else checkKind({ job, reference, other, context });
  }
  checkDependencies(job, context);
}

function checkDependencies(job: JobConfig, { problems }: CheckContext): void {
  const { needs, dependencies } = job.values;
  // GitLab: an empty list of needs asks nothing of the dependencies. The job waits for none, and takes nothing from them.
  if (!needs || needs.length === 0 || !dependencies) return;
  const needed = new Set(needs.flatMap((need) => (need.from ? [] : [need.job])));
  for (const [index, name] of dependencies.entries()) {
    if (needed.has(name)) continue;
    problems.add(
      'language/conflict',
      `"${job.name}" has needs, so its dependency "${name}" must be one of them`,
      { at: placeIn(job, 'dependencies', [index]) },
    );
  }
}

interface KindCheck {
  job: JobConfig;
  reference: Reference;
  other: Draft;
  context: CheckContext;
}

/** Images must come from jobs that build images, early enough and for this architecture. */
function checkKind({ job, reference, other, context: { drafts, problems } }: KindCheck): void {
  const { keyword, name } = reference;
  if (keyword !== 'apitest' && keyword !== 'push' && keyword !== 'deploy') return;
  const at = placeIn(job, keyword, reference.path);
  const report = (code: 'language/conflict' | 'language/order', text: string): void =>
    problems.add(code, text, { at });
  const { kind } = other.config;
  if (kind !== 'build' && !(kind === 'push' && keyword === 'deploy')) {
    const wanted = keyword === 'deploy' ? 'push or build' : 'build';
    report('language/conflict', `"${job.name}" takes an image from "${name}", which is not a ${wanted} job`);
    return;
  }
  const own = drafts.named.get(job.name) ?? [];
  const made = drafts.named.get(name) ?? [];
  if (!job.entries.has('needs') && other.stageIndex === own[0]?.stageIndex)
    report('language/order', `"${name}" must be in an earlier stage than "${job.name}", or in its needs`);
  if (keyword === 'deploy' && kind === 'build' && made.length > 1 && !other.share)
    report(
      'language/conflict',
      `"${name}" builds one image per architecture; deploy the index that a push job makes of them`,
    );
  if (keyword !== 'apitest') return;
  const arches = new Set(made.map((draft) => draft.arch));
  for (const draft of own)
    if (draft.arch && !arches.has(draft.arch))
      report('language/conflict', `"${name}" builds no image for ${draft.arch}`);
}

/** One report per cycle. Dependencies do not order jobs, so they cannot close one. */
export function checkCycles({ jobs, drafts, problems }: CheckContext): void {
  const edges = new Map<string, string[]>();
  for (const job of jobs.values()) {
    const names = referencesOf(job, drafts.named.get(job.name)?.[0])
      .filter((reference) => reference.keyword !== 'dependencies')
      .flatMap((reference) => drafts.named.get(reference.name)?.[0]?.group ?? []);
    edges.set(job.name, names);
  }
  for (const cycle of findCycles(edges)) {
    const job = jobs.get(cycle[0] ?? '');
    if (!job) continue;
    const keyword = ['needs', 'gate'].find((name) => job.entries.has(name)) ?? job.kind;
    problems.add('language/cycle', `jobs wait for each other in a cycle: ${cycle.join(' -> ')}`, {
      at: placeIn(job, keyword),
    });
  }
}
