/** Checks of every job of the file, selected or not. Each check is one function that adds problems. */
import { isArch } from '../../plan/model/ids.ts';
import { nameProblem } from '../../plan/model/queues.ts';
import { storable, utf8Length } from '../../plan/model/text.ts';
import type { Problems } from '../problems.ts';
import { checkConditions } from '../rules/check-conditions.ts';
import { Reach } from '../rules/reach.ts';
import { TOP } from '../schema/keyword-table.ts';
import { didYouMean } from '../suggest.ts';
import type { Path } from '../yaml/nodes.ts';
import { checkCycles, checkNames } from './check-names.ts';
import { checkKeys, checkParallel } from './check-parallel.ts';
import { platformsOf } from '../draft/draft.ts';
import { checkMirror, checkTrigger } from './check-trigger.ts';
import { messageOf } from '../../utils/message.ts';
import { refPattern } from '../../match/ref-pattern.ts';
import { regexHint } from '../../match/regex-hint.ts';
import { CONTAINER_KEYWORDS, placeIn, type JobConfig } from '../job-config.ts';
import { checkPages } from './check-pages.ts';
import { checkEnvironment } from './check-environment.ts';
import type { CheckContext } from './check-context.ts';

export function checkJobs(context: CheckContext): void {
  const reach = new Reach();
  for (const job of context.jobs.values()) {
    checkWhatRuns(job, context);
    checkFlow(job, context.problems);
    checkStage(job, context);
    checkArch(job, context);
    checkPolicy(job, context.problems);
    checkConditions(job, reach, context.problems);
    checkNames(job, context);
    checkParallel(job, context);
    checkEnvironment(job, context);
    checkPages(job, context);
  }
  reach.report(context.problems);
  checkText(context);
  checkImages(context);
  checkKeys(context);
  checkCycles(context);
}

/**
 * Limit of a job key with matrix values: it is part of an activity id, which Temporal limits to 1,000 bytes.
 */
const KEY_BYTES = 950;

/**
 * Names of jobs and tags are sent to Temporal unchanged (GitLab: at most 255 characters, and nothing that its
 * database rejects).
 */
function checkText({ jobs, drafts, problems }: CheckContext): void {
  const seen = new Set<string>();
  for (const { config, key } of drafts.all) {
    const long = utf8Length(key) > KEY_BYTES;
    const trouble = nameProblem(key, KEY_BYTES) ?? (long ? `is longer than ${KEY_BYTES} bytes` : undefined);
    if (trouble === undefined || seen.has(config.name)) continue;
    seen.add(config.name);
    problems.add('language/type', `the name of the job "${plain(key)}" ${trouble}`, { at: config.at });
  }
  for (const job of jobs.values())
    for (const tag of job.values.tags ?? []) {
      const trouble = nameProblem(tag);
      if (trouble === undefined) continue;
      const text = `the tag "${plain(tag)}" of "${plain(job.name)}" ${trouble}`;
      problems.add('language/type', text, { at: placeIn(job, 'tags') });
    }
}
const plain = (text: string): string => storable(text).slice(0, 60);

/** GitLab's runners have a default image too; a new installation has none yet. */
function checkImages({ jobs, request, problems }: CheckContext): void {
  if (request.defaultImage) return;
  const without = [...jobs.values()].filter(
    (job) => job.values.script && !job.entries.has('image') && !job.lost,
  );
  const [first, ...others] = without;
  if (!first) return;
  const more = others.length > 0 ? ` and ${others.length} more` : '';
  const verb = others.length > 0 ? 'have' : 'has';
  problems.add(
    'language/no-image',
    `"${first.name}"${more} ${verb} no image: ${request.helperImage} is used`,
    {
      at: first.at,
      severity: 'warning',
    },
  );
}

function checkWhatRuns(job: JobConfig, context: CheckContext): void {
  const { problems } = context;
  if (job.kind === 'trigger') return checkTrigger(job, context);
  checkMirror(job, context);
  const typed = (['build', 'apitest', 'push', 'deploy'] as const).filter((kind) => job.own.has(kind));
  const second = typed[1];
  if (second)
    problems.add(
      'language/conflict',
      `"${job.name}" has both ${typed[0]} and ${second}; a job can have only one of them`,
      {
        at: placeIn(job, second),
      },
    );
  if (job.kind === 'script' || job.kind === 'apitest') {
    if (!job.entries.has('script') && !job.lost)
      problems.add('language/missing', `the job "${job.name}" has no script`, {
        at: job.at,
        hint:
          didYouMean(job.name, TOP.keys()) ??
          'A job needs a script, or one of build, push, deploy, trigger. The name of a template begins with a dot.',
      });
    return;
  }
  for (const key of CONTAINER_KEYWORDS)
    if (job.own.has(key))
      problems.add(
        'language/conflict',
        `"${job.name}" is a ${job.kind} job without a container of its own, so it cannot have ${key}`,
        {
          at: placeIn(job, key),
        },
      );
}

function checkFlow(job: JobConfig, problems: Problems): void {
  const { values } = job;
  const conflict = (keyword: string, text: string): void =>
    problems.add('language/conflict', `"${job.name}" ${text}`, { at: placeIn(job, keyword) });
  const gate = job.entries.has('gate');
  if (gate && values.when && values.when !== 'manual')
    conflict('when', `has a gate, which implies when: manual, but has when: ${values.when}`);
  if (gate && values.allow_failure !== undefined && values.allow_failure !== false)
    conflict('allow_failure', 'has a gate, which blocks, so allow_failure must be false');
  const manual = gate || values.when === 'manual' || values.rules?.some((rule) => rule.when === 'manual');
  if (values.manual_confirmation !== undefined && !manual)
    problems.add(
      'language/no-effect',
      `"${job.name}" is never manual, so manual_confirmation has no effect`,
      {
        at: placeIn(job, 'manual_confirmation'),
        severity: 'warning',
      },
    );
  if (values.when === 'delayed' && !job.entries.has('start_in'))
    problems.add('language/missing', `"${job.name}" is delayed but has no start_in`, {
      at: placeIn(job, 'when'),
    });
  if (job.entries.has('start_in') && values.when !== 'delayed')
    conflict('start_in', 'has start_in, which requires when: delayed');
  const swarm = values.deploy?.swarm;
  if (swarm && (swarm.image_from === undefined) === (swarm.image === undefined))
    conflict('deploy', 'must deploy either image_from or image: set one of them');
}

function checkStage(job: JobConfig, { drafts, problems }: CheckContext): void {
  const written = job.values.stage;
  const stage = written ?? 'test';
  if (drafts.stages.includes(stage)) return;
  const where = written === undefined ? 'has no stage, so it is in "test"' : `is in the stage "${stage}"`;
  const there = `The stages are ${drafts.stages.slice(1, -1).join(', ')}`;
  problems.add('language/unknown-stage', `"${job.name}" ${where}, which stages does not list`, {
    at: job.entries.get('stage')?.value ?? job.at,
    hint: written === undefined ? there : (didYouMean(stage, drafts.stages) ?? there),
  });
}

function checkArch(job: JobConfig, { jobs, problems }: CheckContext): void {
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
      `"${job.name}" has the platforms ${platforms.join(', ')} but also names ${first}`,
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
        const why = messageOf(error);
        const entry = job.entries.get(keyword)?.value;
        const path: Path = entry?.kind === 'map' ? ['refs', index] : [index];
        problems.add('language/regex', `${ref} is not a valid regular expression: ${why}`, {
          at: placeIn(job, keyword, path),
          hint: regexHint(why),
        });
      }
}
