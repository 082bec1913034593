/** `davit lint`: lists every problem of the pipeline file with its place. */
import type { Command } from 'commander';
import { printJson, type Cli } from '../cli.ts';
import { input, INPUT_HELP, PROJECT_PATH, projectPath, templates, TEMPLATES } from '../options.ts';
import { countText, problemsText } from '../view/problems-view.ts';

const INVALID = 2;

interface Options {
  file?: string;
  input?: Record<string, string>;
  json?: boolean;
  projectPath?: Record<string, string>;
  templates?: 'gitlab';
}

export function lintCommand(program: Command, cli: Cli): void {
  program
    .command('lint')
    .description('check the pipeline file of this folder; lists every problem with file:line:column')
    .argument('[file]', 'pipeline file (default: .davit.yml, else .gitlab-ci.yml)')
    .option('--file <path>', 'the same as an option')
    .option('--input <name=value>', INPUT_HELP, input)
    .option('--json', 'print the problems as JSON')
    .option(...PROJECT_PATH, projectPath)
    .option(...TEMPLATES, templates)
    .addHelpText('after', '\nExample:\n  $ davit lint\n  $ davit lint ci/nightly.yml --json')
    .action(async (named: string | undefined, options: Options) => {
      const { compileHere } = await import('../local/local-plan.ts');
      const { file, answer } = await compileHere(cli, {
        file: named ?? options.file,
        inputs: options.input,
        projectPaths: options.projectPath,
        templates: options.templates,
        lint: true,
      });
      const problems = answer.kind === 'invalid' ? answer.problems : answer.warnings;
      const valid = answer.kind !== 'invalid';
      if (!valid) cli.exit = INVALID;
      if (options.json) return printJson(cli, { file: file.name, valid, problems });
      cli.io.out(problemsText(problems, cli.io.outColor));
      const summary =
        answer.kind === 'plan'
          ? `${counted(answer.jobs.length, 'job')} in ${counted(answer.plan.stages.length, 'stage')}`
          : answer.kind === 'empty'
            ? `nothing to run: ${answer.reason}`
            : 'cannot run';
      const counts = countText(problems);
      return cli.io.out(`${file.name}: ${summary}${counts ? ` (${counts})` : ''}\n`);
    });
}

const counted = (count: number, word: string): string => `${count} ${word}${count === 1 ? '' : 's'}`;
