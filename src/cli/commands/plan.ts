/** `davit plan`: shows what would run, in which order, where, and why. */
import { Option, type Command } from 'commander';
import type { CompileResult, CompiledJob } from '../../compiler/compile.ts';
import type { ExplainedJob } from '../../compiler/request.ts';
import { printJson, type Cli } from '../cli.ts';
import type { PlannedChild } from '../local/child-pipelines.ts';
import {
  input,
  INPUT_HELP,
  PLAN_EVENTS,
  PROJECT_PATH,
  projectPath,
  templates,
  TEMPLATES,
  variable,
  type PlanEvent,
} from '../options.ts';
import { problemsText } from '../view/problems-view.ts';
import { table } from '../view/table.ts';

const INVALID = 2;

interface Options {
  file?: string;
  ref?: string;
  tag?: string;
  event?: PlanEvent;
  changed?: string[];
  var?: Record<string, string>;
  input?: Record<string, string>;
  projectPath?: Record<string, string>;
  templates?: 'gitlab';
  json?: boolean;
  all?: boolean;
}

const EXAMPLES = `
Example:
  $ davit plan
  $ davit plan --event merge_request --changed src/main.ts
  $ davit plan ci/nightly.yml --event schedule
  $ davit plan deploy --var VERSION=1.2.0 --json`;

export function planCommand(program: Command, cli: Cli): void {
  program
    .command('plan')
    .description('show what the pipeline of this folder would run, in which order, and why')
    .argument('[file-or-job...]', 'pipeline file (*.yml, *.yaml), and jobs to run with the jobs they need')
    .option('--file <path>', 'pipeline file (default: .davit.yml, else .gitlab-ci.yml)')
    .option(
      '--ref <name>',
      'branch, tag or commit; an unknown name is planned as a branch with the files of this working tree',
    )
    .option('--tag <name>', 'plan for this tag')
    .addOption(new Option('--event <event>', 'event that starts the pipeline').choices([...PLAN_EVENTS]))
    .option('--var <name=value>', 'a variable of this pipeline (repeatable)', variable)
    .option('--input <name=value>', INPUT_HELP, input)
    .option('--changed <path...>', 'changed paths, instead of the ones that git reports')
    .option('--json', 'print the plan as JSON')
    .option(...PROJECT_PATH, projectPath)
    .option(...TEMPLATES, templates)
    .option('--all', 'with --json: include jobs that do not run')
    .addHelpText('after', EXAMPLES)
    .action(async (named: string[], options: Options) => {
      const { file, jobs } = fileAndJobs(named, options.file);
      const wanted = {
        ...options,
        file,
        variables: options.var,
        inputs: options.input,
        projectPaths: options.projectPath,
        jobs,
        explain: true,
        imagine: true,
        children: true,
      };
      // Loaded on demand: commands that need no compiler start faster without it.
      const { compileHere } = await import('../local/local-plan.ts');
      const { answer, imagined, children, origin } = await compileHere(cli, wanted);
      if (imagined !== undefined)
        cli.io.err(
          `${imagined} does not exist here; planned as a branch with the files of this working tree.\n`,
        );
      if (origin) cli.io.err(`The project is ${origin.path} at ${origin.host}, as the git remote says.\n`);
      if (answer.kind === 'invalid' || children.some(isInvalid)) cli.exit = INVALID;
      if (options.json) return printJson(cli, planJson(answer, options.all ?? false, children));
      if (answer.kind === 'invalid') return cli.io.err(problemsText(answer.problems, cli.io.errColor));
      cli.io.err(problemsText(answer.warnings, cli.io.errColor));
      if (answer.kind === 'empty') cli.io.out(`Nothing to run: ${answer.reason}\n`);
      else cli.io.out(planTable(answer.jobs, cli.io.outColor, answer.explained));
      for (const child of children) showChild(cli, child, []);
      // If jobs are named, the others are left out on purpose.
      return jobs.length > 0 ? undefined : cli.io.out(leftOutText(answer.explained ?? [], cli.io.outColor));
    });
}

const isInvalid = (child: PlannedChild): boolean =>
  child.answer.kind === 'invalid' || child.children.some(isInvalid);

/** A separate table under the path of trigger jobs that leads to it. */
function showChild(cli: Cli, { job, answer, children }: PlannedChild, above: readonly string[]): void {
  const path = [...above, job];
  const starts = `\n${path.join(' > ')} starts a child pipeline`;
  if (answer.kind === 'invalid') {
    cli.io.out(`${starts} with an invalid file.\n`);
    return cli.io.err(problemsText(answer.problems, cli.io.errColor));
  }
  if (answer.kind === 'empty') return cli.io.out(`${starts} with nothing to run: ${answer.reason}\n`);
  cli.io.out(`${starts}:\n${planTable(answer.jobs, cli.io.outColor, answer.explained)}`);
  for (const child of children) showChild(cli, child, path);
}

/** A first argument with the extension of a YAML file is the pipeline file. */
function fileAndJobs(named: readonly string[], option?: string): { file?: string; jobs: string[] } {
  const [first, ...rest] = named;
  return option === undefined && first !== undefined && /\.ya?ml$/i.test(first)
    ? { file: first, jobs: rest }
    : { file: option, jobs: [...named] };
}

/**
 * Jobs in file order with GitLab's field names and davit's own (key, queue, kind, arch). An invalid file has
 * none.
 */
export function planJson(
  answer: CompileResult,
  all: boolean,
  children: readonly PlannedChild[] = [],
): object {
  if (answer.kind === 'invalid') return { ...answer, jobs: [] };
  const { explained = [], ...rest } = answer;
  const plans = new Map(answer.kind === 'plan' ? answer.jobs.map(({ job }) => [job.key, job]) : []);
  const jobs = explained
    .filter((one) => all || plans.has(one.key))
    .map((one) => {
      const job = plans.get(one.key);
      const when = job ? {} : { when: 'never' };
      const below = children.find((child) => child.job === one.key);
      const child = below && { child: planJson(below.answer, all, below.children) };
      return { ...one.resolved, ...when, ...(job && ownOf(job)), why: one.why, ...child };
    });
  return rest.kind === 'plan'
    ? { kind: rest.kind, ...rest.plan, jobs, warnings: rest.warnings }
    : { ...rest, jobs };
}

const ownOf = ({ key, kind, queue, arch, tags }: CompiledJob['job']) => ({
  key,
  kind,
  queue,
  ...(arch && { arch }),
  ...(tags.length > 0 && { tags }),
});

/** One row per job, in file order within its stage. */
export function planTable(
  jobs: readonly CompiledJob[],
  color: boolean,
  explained: readonly ExplainedJob[] = [],
): string {
  const why = new Map(explained.map((one) => [one.key, one.why]));
  const rows = jobs
    .map(({ job }) => job)
    .toSorted((a, b) => a.stageIndex - b.stageIndex)
    .map((job) => [
      job.stage,
      { text: job.key, paint: 'bold' as const },
      job.kind,
      job.queue,
      job.needs === null ? 'stages before' : job.needs.map((need) => need.job).join(', ') || 'nothing',
      job.gate ? 'gate' : job.when === 'on_success' ? '' : job.when,
      ...(explained.length > 0 ? [why.get(job.key) ?? ''] : []),
    ]);
  const head = ['STAGE', 'JOB', 'KIND', 'QUEUE', 'NEEDS', 'WHEN', ...(explained.length > 0 ? ['WHY'] : [])];
  return table(head, rows, color);
}

/** Jobs that do not run, with the reason. */
function leftOutText(explained: readonly ExplainedJob[], color: boolean): string {
  const out = explained.filter((one) => !one.included);
  if (out.length === 0) return '';
  const rows = out.map((one) => [one.stage, one.key, one.why]);
  return `\nLeft out:\n${table(['STAGE', 'JOB', 'WHY'], rows, color)}`;
}
