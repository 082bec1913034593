/** `davit environments`: lists the environments of a project with their stop jobs and times, or stops one. */
import type { Command } from 'commander';
import { findNamedProject } from '../local/project-name.ts';
import type { EnvironmentState } from '../../plan/model/environments.ts';
import { printJson, type Cli } from '../cli.ts';
import { withServer } from '../connect.ts';
import { table } from '../view/table.ts';
import { plainText } from '../view/terminal-text.ts';
import { durationText } from '../../utils/duration.ts';

export function environmentsCommand(program: Command, cli: Cli): void {
  program
    .command('environments')
    .description('list the environments of a project, or stop one: its on_stop job runs')
    .argument('[project]', 'project (default: the project of this folder)')
    .option('--stop <name>', 'stop this environment')
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      '\nExample:\n  $ davit environments\n  $ davit environments table --stop review/login',
    )
    .action(async (project: string | undefined, options: { stop?: string; json?: boolean }) => {
      const slug = project ?? (await findNamedProject(cli, cli.cwd)).slug;
      if (options.stop !== undefined) return stop(cli, slug, { name: options.stop, json: options.json });
      const { environments = [] } = await withServer(cli, (client) => client.project(slug));
      if (options.json) return printJson(cli, environments);
      if (environments.length === 0) return cli.io.err(`${slug} has not deployed to any environment yet.\n`);
      return cli.io.out(environmentsTable(environments, { color: cli.io.outColor, now: Date.now() }));
    });
}

async function stop(cli: Cli, slug: string, request: { name: string; json?: boolean }): Promise<void> {
  const response = await withServer(cli, (client) => client.stopEnvironment(slug, request.name));
  if (request.json) return printJson(cli, response);
  const text = response.was === 'stopped' ? 'is already stopped' : 'is being stopped';
  return cli.io.out(`${plainText(request.name)} ${text}; see it with: davit environments ${slug}\n`);
}

function environmentsTable(
  list: readonly EnvironmentState[],
  { color, now }: { color: boolean; now: number },
): string {
  const rows = list.map((one) => [
    { text: plainText(one.name), paint: 'bold' as const },
    one.state,
    one.tier ?? '',
    one.pipeline,
    plainText(one.job),
    stopText(one, now),
    plainText(one.url ?? ''),
  ]);
  return table(['ENVIRONMENT', 'STATE', 'TIER', 'PIPELINE', 'JOB', 'STOPS', 'URL'], rows, color);
}

function stopText({ state, stopAt, onStop }: EnvironmentState, now: number): string {
  if (state === 'stopped') return '';
  const by = onStop === undefined ? '' : `by ${plainText(onStop)}`;
  return [stopAt === undefined ? '' : `in ${durationText(Math.max(0, stopAt - now))}`, by]
    .filter((part) => part !== '')
    .join(' ');
}
