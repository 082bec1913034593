/** `davit worker list`, `drain` and `remove`: the machines of the installation. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Command } from 'commander';
import type { RunningJob } from '../../plan/model/fleet.ts';
import type { DrainResponse } from '../../server/api.ts';
import { printJson, type Cli } from '../cli.ts';
import { withServer } from '../connect.ts';
import { fleetTable } from '../view/fleet-view.ts';
import { plainText } from '../view/terminal-text.ts';

const ASK_MS = 2_000;

export function fleetCommands(worker: Command, cli: Cli): void {
  worker
    .command('list')
    .description('list the machines of the installation: state, what they are, and what they run')
    .option('--json', 'print everything that is known as JSON')
    .addHelpText(
      'after',
      `
States: ready; draining (takes no further jobs); engine away (its worker has lost the engine); failed (its worker cannot
start); gone (no worker has reported for a minute); never seen (it has a token, and nobody has used it).

Example:
  $ davit worker list`,
    )
    .action(async ({ json }: { json?: boolean }) => {
      const view = await withServer(cli, (client) => client.fleet());
      if (json) return printJson(cli, view);
      if (view.machines.length === 0) return cli.io.out('No worker has reported yet.\n');
      return cli.io.out(fleetTable(view, cli.io.outColor));
    });
  drainCommand(worker, cli);
  removeCommand(worker, cli);
}

interface DrainOptions {
  wait?: boolean;
  off?: boolean;
  json?: boolean;
}

function drainCommand(worker: Command, cli: Cli): void {
  worker
    .command('drain')
    .description('let a machine take no further jobs: those that it runs end, others wait or go elsewhere')
    .argument('<name>', 'as `davit worker list` shows it')
    .option('--wait', 'until it runs no job')
    .option('--off', 'it takes jobs again')
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      '\nIt stays so when the machine, its worker or the server restarts.\n\nExample:\n  $ davit worker drain table-pi --wait\n  $ davit worker drain table-pi --off',
    )
    .action(async (name: string, { wait, off = false, json }: DrainOptions) => {
      let now = await withServer(cli, (client) => client.drainWorker({ name, off }));
      const say = (text: string): void => void (json || cli.io.out(plainText(text)));
      say(
        off ? `${name} takes jobs again.\n` : `${name} takes no further jobs.${runningText(now.running)}\n`,
      );
      if (wait && !off) now = await untilIdle(cli, now, say);
      if (json) printJson(cli, now);
    });
}

const runningText = (running: readonly RunningJob[]): string =>
  running.length === 0
    ? ' It runs none.'
    : ` It still runs ${running.map(({ pipeline, job }) => `${job} of ${pipeline}`).join(', ')}.`;

async function untilIdle(
  cli: Cli,
  first: DrainResponse,
  say: (text: string) => void,
): Promise<DrainResponse> {
  if (first.running.length === 0) return first;
  for (;;) {
    await delay(ASK_MS);
    const { machines } = await withServer(cli, (client) => client.fleet());
    const running = machines
      .filter((one) => one.name === first.name)
      .flatMap((one) => one.report?.running ?? []);
    if (running.length > 0) continue;
    say(`${first.name} runs no job.\n`);
    return { ...first, running };
  }
}

function removeCommand(worker: Command, cli: Cli): void {
  worker
    .command('remove')
    .description('forget a machine and revoke its tokens')
    .argument('<name>', 'as `davit worker list` shows it')
    .option('--force', 'also while it runs jobs: they end as lost')
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      '\nExample:\n  $ davit worker drain table-pi --wait && davit worker remove table-pi',
    )
    .action(async (name: string, { force = false, json }: { force?: boolean; json?: boolean }) => {
      const done = await withServer(cli, (client) => client.removeWorker({ name, force }));
      const { forgetMachine } = await import('../../local/machines/forget.ts');
      const here = await forgetMachine(cli.settings, name);
      if (json) return printJson(cli, { name, ...done });
      const { revoked, hostNames } = done;
      const tokens = `${revoked} ${revoked === 1 ? 'token is' : 'tokens are'} revoked`;
      return cli.io.out(plainText(`${name} is removed; ${tokens}.\n${stays(name, hostNames, here)}`));
    });
}

/** What the server cannot take back. `here`: it was added on this machine, and its worker ends. */
const stays = (
  name: string,
  hostNames: readonly string[],
  here: boolean,
): string => `What stays, and how to remove it:
${here ? '' : otherMachine(name)}  davit's volumes on the engine of ${hostNames.join(', ')}:
    docker volume ls -q -f label=davit.installation -f name=davit-host -f name=davit-mark | xargs -r docker volume rm
A token in \`workers\` of the installation file counts until it is taken out there.
`;

const otherMachine = (name: string): string => `  its worker, on the machine where it runs:
    systemctl disable --now davit-worker@${name}, and rm -r machines/${name} machines/${name}.json in davit's home
`;
