/** `davit environments`: where a project deployed to, what stops it and when; and stopping one. */
import type { Command } from 'commander';
import { findProject } from '../../worktree/project.ts';
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
    .argument('[project]', 'the project of this folder when left out')
    .option('--stop <name>', 'stop this environment')
    .option('--json', 'print the answer as JSON')
    .addHelpText(
      'after',
      '\nExample:\n  $ davit environments\n  $ davit environments table --stop review/login',
    )
    .action(async (project: string | undefined, options: { stop?: string; json?: boolean }) => {
      const slug = project ?? (await findProject(cli.cwd)).slug;
      if (options.stop !== undefined) return stop(cli, slug, { name: options.stop, json: options.json });
      const { environments = [] } = await withServer(cli, (client) => client.project(slug));
      if (options.json) return printJson(cli, environments);
      if (environments.length === 0) return cli.io.err(`${slug} has deployed to no environment yet.\n`);
      return cli.io.out(environmentsTable(environments, { color: cli.io.outColor, now: Date.now() }));
    });
}

async function stop(cli: Cli, slug: string, ask: { name: string; json?: boolean }): Promise<void> {
  const answer = await withServer(cli, (client) => client.stopEnvironment(slug, ask.name));
  if (ask.json) return printJson(cli, answer);
  const text = answer.was === 'stopped' ? 'is stopped already' : 'is being stopped';
  return cli.io.out(`${plainText(ask.name)} ${text}; see it with: davit environments ${slug}\n`);
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
