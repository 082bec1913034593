/**
 * A job with `trigger` runs nothing itself: the keywords it can have, and where the file of a child comes
 * from.
 */
import { mirrorOf } from '../schema/keywords/needs.ts';
import { didYouMean } from '../suggest.ts';
import type { Path } from '../yaml/nodes.ts';
import { placeIn, type JobConfig } from '../job-config.ts';
import type { CheckContext } from './check-context.ts';

/** GitLab's list (Config::Entry::Bridge); `gate` is davit's own. */
const MAY: ReadonlySet<string> = new Set([
  'trigger',
  'extends',
  'stage',
  'only',
  'except',
  'rules',
  'variables',
  'inherit',
  'allow_failure',
  'when',
  'needs',
  'resource_group',
  'environment',
  'interruptible',
  'parallel',
  'gate',
]);

export function checkTrigger(job: JobConfig, context: CheckContext): void {
  const { values } = job;
  const does = job.own.has('trigger') ? 'triggers' : 'mirrors';
  const report = (keyword: string, text: string, path: Path = []): void =>
    context.problems.add('language/conflict', `"${job.name}" ${does} a pipeline, so ${text}`, {
      at: placeIn(job, keyword, path),
    });
  for (const key of job.own) if (!MAY.has(key)) report(key, `it cannot have ${key}`);
  if (values.when === 'delayed') report('when', 'it cannot be delayed');
  for (const [index, rule] of (values.rules ?? []).entries())
    if (rule.when === 'delayed') report('rules', 'a rule cannot delay it', [index, 'when']);
  if (Array.isArray(values.allow_failure)) report('allow_failure', 'it has no exit code to allow');
  for (const [index, need] of (values.needs ?? []).entries())
    if (need.from && (job.own.has('trigger') || !('mirrors' in need.from)))
      report('needs', 'it cannot take artifacts of other pipelines', [index]);
  for (const [index, rule] of (values.rules ?? []).entries())
    if (mirrorOf(rule.needs) !== undefined)
      report('rules', 'a rule cannot make it mirror another', [index, 'needs']);
  checkArtifacts(job, context);
}

/** Only a job that does nothing else can mirror a pipeline; a rule cannot make it one. */
export function checkMirror(job: JobConfig, { problems }: Pick<CheckContext, 'problems'>): void {
  const report = (keyword: string, path: Path): void =>
    problems.add('language/conflict', `"${job.name}" is a ${job.kind} job, so it cannot mirror a pipeline`, {
      at: placeIn(job, keyword, path),
      hint: 'Name a job of that pipeline, or mirror the pipeline in a separate job.',
    });
  if (mirrorOf(job.values.needs) !== undefined) report('needs', []);
  for (const [index, { needs }] of (job.values.rules ?? []).entries())
    if (mirrorOf(needs) !== undefined) report('rules', [index, 'needs']);
}

/** A job name that contains a variable is resolved when the plan is made. */
function checkArtifacts(job: JobConfig, { drafts, jobs, problems }: CheckContext): void {
  const own = drafts.named.get(job.name)?.[0];
  for (const [index, item] of (job.values.trigger?.include ?? []).entries()) {
    if (item === 'written' || item.job.includes('$')) continue;
    const other = drafts.named.get(item.job)?.[0];
    const at = placeIn(job, 'trigger', ['include', index, 'job']);
    if (!other)
      problems.add(
        'language/unknown-job',
        `"${job.name}" takes its file from "${item.job}", but there is no such job`,
        { at, hint: didYouMean(item.job, jobs.keys()) },
      );
    else if (own && other.stageIndex > own.stageIndex)
      problems.add(
        'language/order',
        `"${job.name}" takes its file from "${item.job}", which is in the later stage "${other.stage}"`,
        { at },
      );
    else if (!other.config.values.artifacts?.paths)
      problems.add(
        'language/conflict',
        `"${job.name}" takes its file from "${item.job}", which has no artifacts:paths`,
        { at },
      );
  }
}
