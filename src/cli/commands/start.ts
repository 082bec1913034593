/** `davit start`: runs the pipeline of a ref at the forge, without a checkout. */
import type { Command } from 'commander';
import { DavitError } from '../../errors.ts';
import { printJson, type Cli } from '../cli.ts';
import { Interrupts } from '../interrupts.ts';
import { input, INPUT_HELP, variable } from '../options.ts';
import type { RequestOptions } from '../run/request.ts';
import { verdictOf } from '../view/status-labels.ts';

interface Options {
  ref?: string;
  var?: Record<string, string>;
  input?: Record<string, string>;
  again?: string;
  detach?: boolean;
  json?: boolean;
}

export function startCommand(program: Command, cli: Cli): void {
  program
    .command('start')
    .description('run the pipeline of a branch or tag at the forge, without a checkout')
    .argument('[project]', "name of the project (default: this folder's)")
    .option('--ref <name>', 'branch or tag (default: the default branch)')
    .option('--var <name=value>', 'a variable of this pipeline (repeatable)', variable)
    .option('--input <name=value>', INPUT_HELP, input)
    .option(
      '--again <id>',
      'run an ended pipeline again: its ref, commit, variables and inputs, as a new pipeline',
    )
    .option('--detach', 'return once it has a number')
    .option('--json', 'print the last status as JSON, with --detach the id; logs go to standard error')
    .addHelpText(
      'after',
      `
CI_PIPELINE_SOURCE is api. Follows the pipeline as \`davit run\` does: Ctrl-C cancels it.

Example:
  $ davit start table --ref release/2 --var VERSION=2.1
  $ davit start --again table/3`,
    )
    .action(async (project: string | undefined, options: Options) => {
      const request = requestOf(project, options);
      return options.detach ? detached(cli, request, options) : followed(cli, request, options);
    });
}

function requestOf(
  project: string | undefined,
  { again, ref, var: variables, input: inputs }: Options,
): RequestOptions {
  const own = [project, ref, variables, inputs].some((one) => one !== undefined);
  if (again !== undefined && own)
    throw new DavitError(
      'usage/invalid',
      '--again takes project, ref, variables and inputs of that pipeline.',
      {
        hint: 'Leave them out, or start a pipeline of the ref without --again.',
      },
    );
  return { project, ref, variables, inputs, again };
}

async function followed(cli: Cli, request: RequestOptions, { json }: Options): Promise<void> {
  const { followStarted, summaryText } = await import('../run/run.ts');
  const { requestStart } = await import('../run/request.ts');
  const { io } = cli;
  const last = await followStarted(
    cli,
    {
      interrupts: new Interrupts(),
      write: (text) => (json ? io.err(text) : io.out(text)),
      color: json ? io.errColor : io.outColor,
    },
    (until) => requestStart(cli, { ...request, ...until }),
  );
  if (!last) return;
  cli.exit = verdictOf(last);
  if (json) return printJson(cli, last);
  return io.out(summaryText(last, io.outColor));
}

export async function detached(
  cli: Cli,
  request: RequestOptions,
  { json }: Pick<Options, 'json'>,
): Promise<void> {
  const { startDetached } = await import('../run/request.ts');
  const started = await startDetached(cli, request);
  if (json) return printJson(cli, started);
  return cli.io.out(`${started.id} was started: ${started.page}\n`);
}
