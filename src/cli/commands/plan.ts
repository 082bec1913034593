/** `davit plan`: what would run, in which order, where. */
import type { Command } from 'commander';
import type { CompiledJob } from '../../pipeline/compile.ts';
import { printJson, type Cli } from '../cli.ts';
import { compileHere } from '../local-plan.ts';
import { variable } from '../options.ts';
import { problemsText } from '../problems-view.ts';
import { table } from '../table.ts';

const INVALID = 2;

interface Options {
  file?: string;
  ref?: string;
  var?: Record<string, string>;
  json?: boolean;
}

export function planCommand(program: Command, cli: Cli): void {
  program
    .command('plan')
    .description('show what the pipeline of this folder would run: jobs, order, queues, gates')
    .argument('[job...]', 'these jobs and what they need')
    .option('--file <path>', 'another file than .davit.yml or .gitlab-ci.yml')
    .option('--ref <name>', 'branch, tag or commit in place of the working tree')
    .option('--var <name=value>', 'a variable of this pipeline (repeatable)', variable)
    .option('--json', 'print the plan as JSON')
    .addHelpText('after', '\nExample:\n  $ davit plan\n  $ davit plan deploy --var VERSION=1.2.0 --json')
    .action(async (jobs: string[], options: Options) => {
      const { answer } = await compileHere(cli, { ...options, variables: options.var, jobs });
      if (answer.kind === 'invalid') cli.exit = INVALID;
      if (options.json)
        return printJson(
          cli,
          answer.kind === 'plan'
            ? {
                kind: 'plan',
                ...answer.plan,
                jobs: answer.jobs.map(({ job }) => job),
                warnings: answer.warnings,
              }
            : answer,
        );
      if (answer.kind === 'invalid') return cli.io.err(problemsText(answer.problems, cli.io.errColor));
      cli.io.err(problemsText(answer.warnings, cli.io.errColor));
      if (answer.kind === 'empty') return cli.io.out(`Nothing to run: ${answer.reason}\n`);
      return cli.io.out(planTable(answer.jobs, cli.io.outColor));
    });
}

/** One row a job, in file order within its stage. */
export function planTable(jobs: readonly CompiledJob[], color: boolean): string {
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
    ]);
  return table(['STAGE', 'JOB', 'KIND', 'QUEUE', 'NEEDS', 'WHEN'], rows, color);
}
