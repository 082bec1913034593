/** `davit deploy-token`: what targets pull images with from davit's own registry. */
import type { Command } from 'commander';
import type { DeployTokenRecord } from '../../plan/model/records.ts';
import { printJson, type Cli } from '../cli.ts';
import { withServer } from '../connect.ts';
import { table } from '../view/table.ts';
import { plainText } from '../view/terminal-text.ts';

export function deployTokenCommand(program: Command, cli: Cli): void {
  const command = program
    .command('deploy-token')
    .description('show or revoke what targets pull images with (operators)');
  command
    .command('list')
    .description('show every deploy token, the newest first')
    .option('--json', 'print them as JSON')
    .addHelpText('after', '\nExample:\n  $ davit deploy-token list')
    .action(async ({ json }: { json?: boolean }) => {
      const tokens = await withServer(cli, (client) => client.deployTokens());
      if (json) return printJson(cli, tokens);
      cli.io.out(
        tokens.length === 0 ? 'There are no deploy tokens.\n' : tokensTable(tokens, cli.io.outColor),
      );
    });
  command
    .command('revoke')
    .description('end a deploy token: its target pulls that repository no more until the next deployment')
    .argument('<id>', 'as `davit deploy-token list` shows it')
    .addHelpText('after', '\nExample:\n  $ davit deploy-token revoke 5f0c1d2e3a4b5c6d-000001')
    .action(async (id: string) => {
      const { target, repository } = await withServer(cli, (client) => client.revokeDeployToken(id));
      cli.io.out(
        plainText(`Revoked. ${target} gets another one for ${repository} by the next deployment.\n`),
      );
    });
}

const tokensTable = (tokens: readonly DeployTokenRecord[], color: boolean): string =>
  table(
    ['id', 'target', 'repository', 'project', 'created', 'state'],
    tokens.map(({ id, target, repository, project, createdAt, revokedBy }) => [
      id,
      target,
      repository,
      project,
      new Date(createdAt).toISOString().slice(0, 16),
      revokedBy === undefined ? 'counts' : `revoked by ${revokedBy}`,
    ]),
    color,
  );
