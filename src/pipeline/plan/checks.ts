/** What must hold of every job of the file, whoever is selected. Each check is one function that adds problems. */
import { isArch } from '../../plan/ids.ts';
import { CONTAINER_KEYWORDS, placeIn, type JobConfig } from '../config/job.ts';
import type { Problems } from '../problems.ts';
import type { CompileRequest } from '../request.ts';
import { refPattern } from '../select/refs.ts';
import { didYouMean } from '../suggest.ts';
import type { Path } from '../yaml/nodes.ts';
import { imageNames } from './link.ts';
import { findCycle } from './graph.ts';
import { platformsOf, type Draft, type Drafts } from './draft.ts';

interface Checking {
  jobs: ReadonlyMap<string, JobConfig>;
  drafts: Drafts;
  request: CompileRequest;
  problems: Problems;
}

export function checkJobs(checking: Checking): void {
  for (const job of checking.jobs.values()) {
    checkWhatRuns(job, checking);
    checkFlow(job, checking.problems);
    checkStage(job, checking);
    checkArch(job, checking);
    checkPolicy(job, checking.problems);
    checkNames(job, checking);
  }
  checkCycles(checking);
}

function checkWhatRuns(job: JobConfig, { problems, request }: Checking): void {
  const typed = (['build', 'apitest', 'push', 'deploy'] as const).filter((kind) => job.own.has(kind));
  const second = typed[1];
  if (second)
    problems.add(
      'language/conflict',
      `"${job.name}" has both ${typed[0]} and ${second}; a job does one thing`,
      {
        at: placeIn(job, second),
      },
    );
  if (job.kind === 'script' || job.kind === 'apitest') {
    if (!job.entries.has('script'))
      problems.add('language/missing', `the job "${job.name}" has no script`, {
        at: job.at,
        hint: 'A job has a script, or one of build, push, deploy. A template begins its name with a dot.',
      });
    if (!job.entries.has('image') && !request.defaultImage)
      problems.add('language/missing', `the job "${job.name}" has no image`, {
        at: job.at,
        hint: 'Name one in the job, under default, or as default_image in the installation file.',
      });
    return;
  }
  for (const key of CONTAINER_KEYWORDS)
    if (job.own.has(key))
      problems.add(
        'language/conflict',
        `"${job.name}" runs no container of its own, so ${key} has no meaning beside ${job.kind}`,
        {
          at: placeIn(job, key),
        },
      );
}

function checkFlow(job: JobConfig, problems: Problems): void {
  const { values } = job;
  const conflict = (keyword: string, text: string): void =>
    problems.add('language/conflict', `"${job.name}" ${text}`, { at: placeIn(job, keyword) });
  if (values.gate && values.when && values.when !== 'manual')
    conflict('when', `has a gate, which implies when: manual, and says when: ${values.when}`);
  if (values.gate && values.allow_failure !== undefined && values.allow_failure !== false)
    conflict('allow_failure', 'has a gate, which blocks, so allow_failure must be false');
  if (values.when === 'delayed' && !job.entries.has('start_in'))
    problems.add('language/missing', `"${job.name}" is delayed and has no start_in`, {
      at: placeIn(job, 'when'),
    });
  if (job.entries.has('start_in') && values.when !== 'delayed')
    conflict('start_in', 'has start_in, which takes when: delayed');
  const swarm = values.deploy?.swarm;
  if (swarm && (swarm.image_from === undefined) === (swarm.image === undefined))
    conflict('deploy', 'deploys either an image_from a job or an image: name one of them');
}

function checkStage(job: JobConfig, { drafts, problems }: Checking): void {
  const stage = job.values.stage ?? 'test';
  if (drafts.stages.includes(stage)) return;
  problems.add(
    'language/unknown-stage',
    `"${job.name}" is in the stage "${stage}", which stages does not list`,
    {
      at: placeIn(job, 'stage'),
      hint: didYouMean(stage, drafts.stages) ?? `There are: ${drafts.stages.slice(1, -1).join(', ')}`,
    },
  );
}

function checkArch(job: JobConfig, { jobs, problems }: Checking): void {
  const named = new Set([
    ...(job.values.arch ? [job.values.arch] : []),
    ...(job.values.tags ?? []).filter(isArch),
  ]);
  const [first, second] = named;
  if (first && second)
    problems.add('language/conflict', `"${job.name}" names two architectures: ${first} and ${second}`, {
      at: placeIn(job, 'tags'),
    });
  const platforms = platformsOf(job, jobs);
  if (first && platforms && !(platforms.length === 1 && platforms[0] === first))
    problems.add(
      'language/conflict',
      `"${job.name}" is made for ${platforms.join(', ')} and also names ${first}`,
      {
        at: placeIn(job, job.own.has('arch') ? 'arch' : 'tags'),
      },
    );
}

function checkPolicy(job: JobConfig, problems: Problems): void {
  for (const keyword of ['only', 'except'] as const)
    for (const [index, ref] of (job.values[keyword]?.refs ?? []).entries())
      try {
        refPattern(ref.split('@', 1)[0] ?? '');
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        const entry = job.entries.get(keyword)?.value;
        const path: Path = entry?.kind === 'map' ? ['refs', index] : [index];
        problems.add('language/regex', `${ref} is no valid regular expression: ${why}`, {
          at: placeIn(job, keyword, path),
        });
      }
}

interface Reference {
  name: string;
  keyword: string;
  path: Path;
  optional: boolean;
}

function referencesOf(job: JobConfig, draft: Draft | undefined): Reference[] {
  const { values } = job;
  const list = (keyword: string, names: readonly string[], prefix: Path = []): Reference[] =>
    names.map((name, index) => ({ name, keyword, path: [...prefix, index], optional: false }));
  return [
    ...(values.needs ?? []).map((need, index) => ({
      name: need.job,
      keyword: 'needs',
      path: [index],
      optional: need.optional,
    })),
    ...list('dependencies', values.dependencies ?? []),
    ...list('gate', values.gate?.requires ?? [], ['requires']),
    ...(draft ? imageNames(draft) : []).map(({ name, path }) => ({
      name,
      keyword: job.kind,
      path,
      optional: false,
    })),
  ];
}

function checkNames(job: JobConfig, checking: Checking): void {
  const { drafts, problems } = checking;
  const own = drafts.named.get(job.name)?.[0];
  for (const reference of referencesOf(job, own)) {
    const at = placeIn(job, reference.keyword, reference.path);
    const found = drafts.named.get(reference.name);
    if (!found) {
      if (reference.optional) continue;
      problems.add(
        'language/unknown-job',
        `"${job.name}" names "${reference.name}" in ${reference.keyword}, and there is no such job`,
        {
          at,
          hint: didYouMean(reference.name, checking.jobs.keys()),
        },
      );
      continue;
    }
    const other = found[0];
    if (own && other && own.stageIndex !== -1 && other.stageIndex > own.stageIndex)
      problems.add(
        'language/order',
        `"${job.name}" names "${reference.name}", which is in the later stage "${other.stage}"`,
        { at },
      );
    else if (other) checkKind({ job, reference, other, checking });
  }
  checkDependencies(job, problems);
}

function checkDependencies(job: JobConfig, problems: Problems): void {
  const { needs, dependencies } = job.values;
  if (!needs || !dependencies) return;
  const needed = new Set(needs.map((need) => need.job));
  for (const [index, name] of dependencies.entries())
    if (!needed.has(name))
      problems.add(
        'language/conflict',
        `"${job.name}" has needs, so its dependency "${name}" must be one of them`,
        {
          at: placeIn(job, 'dependencies', [index]),
        },
      );
}

interface KindCheck {
  job: JobConfig;
  reference: Reference;
  other: Draft;
  checking: Checking;
}
const WANTED = { apitest: ['build'], push: ['build'], deploy: ['push', 'build'] } as const;

/** Images come from jobs that make images, in time, and for this architecture. */
function checkKind({ job, reference, other, checking: { drafts, problems } }: KindCheck): void {
  if (reference.keyword !== 'apitest' && reference.keyword !== 'push' && reference.keyword !== 'deploy')
    return;
  const wanted: readonly string[] = WANTED[reference.keyword];
  const at = placeIn(job, reference.keyword, reference.path);
  if (!wanted.includes(other.config.kind)) {
    const text = `"${job.name}" takes an image from "${other.group}", which is no ${wanted.join(' or ')} job`;
    problems.add('language/conflict', text, { at });
    return;
  }
  const own = drafts.named.get(job.name) ?? [];
  if (!job.values.needs && own[0] && other.stageIndex === own[0].stageIndex)
    problems.add(
      'language/order',
      `"${other.group}" must be in an earlier stage than "${job.name}", or in its needs`,
      { at },
    );
  if (
    reference.keyword === 'deploy' &&
    other.config.kind === 'build' &&
    (drafts.named.get(reference.name)?.length ?? 0) > 1
  )
    problems.add(
      'language/conflict',
      `"${reference.name}" makes an image for each architecture; deploy what a push job made of them`,
      { at },
    );
  if (reference.keyword !== 'apitest') return;
  const arches = new Set((drafts.named.get(reference.name) ?? []).map((draft) => draft.arch));
  for (const draft of own)
    if (draft.arch && !arches.has(draft.arch))
      problems.add('language/conflict', `"${reference.name}" makes no image for ${draft.arch}`, { at });
}

function checkCycles({ jobs, drafts, problems }: Checking): void {
  const edges = new Map<string, string[]>();
  for (const job of jobs.values()) {
    const names = referencesOf(job, drafts.named.get(job.name)?.[0])
      // dependencies order nothing; without needs, images and gates of earlier stages cannot lead back.
      .filter((reference) => reference.keyword !== 'dependencies')
      .flatMap((reference) => drafts.named.get(reference.name)?.[0]?.group ?? []);
    edges.set(job.name, names);
  }
  const cycle = findCycle(edges);
  const job = jobs.get(cycle?.[0] ?? '');
  if (!cycle || !job) return;
  problems.add('language/cycle', `jobs wait for each other in a circle: ${cycle.join(' -> ')}`, {
    at: placeIn(job, job.entries.has('needs') ? 'needs' : job.entries.has('gate') ? 'gate' : job.kind),
  });
}
