/** `davit run`: runs the pipeline of this working tree. */
import type { Command } from 'commander';
import { printJson, type Cli } from '../cli.ts';
import { Interrupts } from '../interrupts.ts';
import { input, INPUT_HELP, variable } from '../options.ts';
import { verdictOf } from '../view/status-labels.ts';

interface Options {
  file?: string;
  ref?: string;
  var?: Record<string, string>;
  input?: Record<string, string>;
  yes?: boolean;
  json?: boolean;
}

export function runCommand(program: Command, cli: Cli): void {
  program
    .command('run')
    .description('run the pipeline of this folder with uncommitted changes; the exit code reports its result')
    .argument('[job...]', 'jobs to run, with the jobs they need (default: all)')
    .option('--file <path>', 'pipeline file (default: .davit.yml, else .gitlab-ci.yml)')
    .option('--ref <name>', 'branch, tag or commit instead of the working tree')
    .option('--var <name=value>', 'a variable of this pipeline (repeatable)', variable)
    .option('--input <name=value>', INPUT_HELP, input)
    .option('--yes', 'set up what is missing on this machine without asking; CI=true implies it')
    .option('--json', 'print the last status as JSON; logs go to standard error')
    .addHelpText(
      'after',
      `
Starts davit in the background if it is not running. Ctrl-C cancels the pipeline and waits for the cleanup; a second
Ctrl-C returns without waiting.

Example:
  $ davit run
  $ davit run unit --var VERSION=1.2.0`,
    )
    .action(async (jobs: string[], options: Options) => {
      const { runPipeline, summaryText } = await import('../run/run.ts');
      const { io } = cli;
      const interrupts = new Interrupts();
      const last = await runPipeline(cli, {
        interrupts,
        file: options.file,
        ref: options.ref,
        variables: options.var,
        inputs: options.input,
        yes: options.yes === true,
        jobs,
        write: (text) => (options.json ? io.err(text) : io.out(text)),
        color: options.json ? io.errColor : io.outColor,
      });
      if (!last) return;
      cli.exit = verdictOf(last);
      if (options.json) return printJson(cli, last);
      return io.out(summaryText(last, io.outColor));
    });
}
