/** `davit worker token`: tokens of machines that run jobs. */
import type { Command } from 'commander';
import type { ListedWorkerToken } from '../../server/api.ts';
import { printJson, type Cli } from '../cli.ts';
import { withServer } from '../connect.ts';
import { time } from '../options.ts';
import { table } from '../view/table.ts';
import { plainText } from '../view/terminal-text.ts';

interface CreateOptions {
  control?: boolean;
  forks?: boolean;
  protectedOnly?: boolean;
  project?: string[];
  expiresIn?: number;
  json?: boolean;
}

export function workerTokenCommand(worker: Command, cli: Cli): void {
  const token = worker
    .command('token')
    .description('tokens of machines that run jobs: each proves one worker, and can be revoked alone')
    .addHelpText(
      'after',
      `
Put the token into DAVIT_WORKER_TOKEN_FILE of the machine, mode 0600. A name may have several tokens, so that one
replaces another while jobs run: create, replace the file, revoke the former one by its id.

Example:
  $ davit worker token create table-pi --project shop --protected-only
  $ davit worker token revoke table-pi`,
    );
  token
    .command('create')
    .description('create a token for the workers of a machine')
    .argument('<name>', 'name of the machine, as people know it')
    .option('--project <name...>', 'it gets attempts of these projects only')
    .option('--protected-only', 'it gets attempts of protected refs only')
    .option('--forks', 'it gets attempts of forks too')
    .option('--control', 'for a control worker on another machine: it may read and write every record')
    .option(
      '--expires-in <time>',
      'it ends by itself: 90d, 12h; by default it counts until it is revoked',
      time,
    )
    .option('--json', 'print the result as JSON')
    .action(
      async (name: string, { control, forks, protectedOnly, project, expiresIn, json }: CreateOptions) => {
        const made = await withServer(cli, (client) =>
          client.createWorkerToken({
            name,
            ...(control && { control }),
            ...(forks && { forks }),
            ...(protectedOnly && { protected_only: protectedOnly }),
            ...(project && { projects: project }),
            ...(expiresIn !== undefined && { expiresInMs: expiresIn }),
          }),
        );
        if (json) return printJson(cli, made);
        return cli.io.out(`token  ${made.token}\nid     ${made.id}\n`);
      },
    );
  listCommand(token, cli);
  token
    .command('revoke')
    .description(
      'revoke the tokens of a machine; its workers, and attempts that they have, are refused at once',
    )
    .argument('<name>', 'name of the machine; `shared`: the token that workers of earlier versions share')
    .option('--id <id>', 'only the token with this id')
    .option('--json', 'print the result as JSON')
    .action(async (name: string, { id, json }: { id?: string; json?: boolean }) => {
      const { revoked } = await withServer(cli, (client) =>
        client.revokeWorkerTokens({ name, ...(id !== undefined && { id }) }),
      );
      if (json) return printJson(cli, { revoked });
      return cli.io.out(`${revoked} ${revoked === 1 ? 'token is' : 'tokens are'} revoked.\n`);
    });
}

function listCommand(token: Command, cli: Cli): void {
  token
    .command('list')
    .description(
      'list the tokens that the server has made, and the one that workers of earlier versions share',
    )
    .option('--json', 'print the result as JSON')
    .action(async ({ json }: { json?: boolean }) => {
      const found = await withServer(cli, (client) => client.workerTokens());
      if (json) return printJson(cli, found);
      if (found.length === 0) return cli.io.out('The server has made no token of a worker.\n');
      return cli.io.out(table(['name', 'id', 'limits', 'used'], found.map(row), cli.io.outColor));
    });
}

function row({
  name,
  id,
  control,
  forks,
  protected_only: protectedOnly,
  projects,
  until,
  usedAt,
}: ListedWorkerToken): string[] {
  const limits = [
    ...(control ? ['control worker'] : []),
    ...(projects ? [`projects ${projects.join(', ')}`] : []),
    ...(protectedOnly ? ['protected refs'] : []),
    ...(forks ? ['forks too'] : []),
    ...(until === undefined
      ? []
      : [`${until <= Date.now() ? 'expired' : 'expires'} ${new Date(until).toISOString()}`]),
  ];
  const used = usedAt === undefined ? 'not since the server started' : new Date(usedAt).toISOString();
  return [plainText(name), id, limits.join('; ') || '-', used];
}
