/** `davit config` and `davit schema`: the merged pipeline file, and the JSON schema of the language. */
import type { Command } from 'commander';
import { printJson, type Cli } from '../cli.ts';
import { input, INPUT_HELP, PROJECT_PATH, projectPath, templates, TEMPLATES } from '../options.ts';
import { problemsText } from '../view/problems-view.ts';

const INVALID = 2;

interface Options {
  file?: string;
  input?: Record<string, string>;
  projectPath?: Record<string, string>;
  templates?: 'gitlab';
}

export function configCommand(program: Command, cli: Cli): void {
  program
    .command('config')
    .description('print the pipeline file after include, extends, !reference and default')
    .argument('[file]', 'pipeline file (default: .davit.yml, else .gitlab-ci.yml)')
    .option('--file <path>', 'the same as an option')
    .option('--input <name=value>', INPUT_HELP, input)
    .option(...PROJECT_PATH, projectPath)
    .option(...TEMPLATES, templates)
    .addHelpText('after', '\nExample:\n  $ davit config > whole.yml')
    .action(async (named: string | undefined, options: Options) => {
      // Loaded on demand: commands that need no compiler start faster without it.
      const { requestHere } = await import('../local/local-plan.ts');
      const { mergedYaml } = await import('../../compiler/merged-yaml.ts');
      const { Problems } = await import('../../compiler/problems.ts');
      const { request } = await requestHere(cli, {
        file: named ?? options.file,
        inputs: options.input,
        projectPaths: options.projectPath,
        templates: options.templates,
      });
      const problems = new Problems();
      const text = mergedYaml(request, problems);
      cli.io.err(problemsText(problems.all(), cli.io.errColor));
      if (text === undefined) cli.exit = INVALID;
      else cli.io.out(text);
    });
}

export function schemaCommand(program: Command, cli: Cli): void {
  program
    .command('schema')
    .description('print a JSON schema of the pipeline file, for editors')
    .addHelpText('after', '\nExample:\n  $ davit schema > davit.schema.json')
    .action(async () => {
      const { languageSchema } = await import('../../compiler/schema/json-schema.ts');
      return printJson(cli, languageSchema());
    });
}
