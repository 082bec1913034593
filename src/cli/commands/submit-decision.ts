/** Decisions about a pipeline or one of its jobs: approve, reject, play, cancel; a retry is in `retry.ts`. */
import type { Command } from 'commander';
import { DavitError } from '../../errors.ts';
import type { Decision } from '../../plan/model/protocol.ts';
import { printJson, type Cli } from '../cli.ts';
import { confirmed } from '../confirm.ts';
import { resolveId, withServer } from '../connect.ts';
import { plainText } from '../view/terminal-text.ts';

interface Verb {
  name: string;
  action: Decision['action'];
  description: string;
  example: string;
}
const VERBS: readonly Verb[] = [
  {
    name: 'approve',
    action: 'play',
    description: 'approve a gate: its job continues',
    example: 'davit approve table/3 deploy --comment "seen on staging"',
  },
  {
    name: 'reject',
    action: 'reject',
    description: 'reject a gate permanently: its job does not run',
    example: 'davit reject table/3 deploy --comment "wrong week"',
  },
  { name: 'play', action: 'play', description: 'start a manual job', example: 'davit play table/3 cleanup' },
];

interface Options {
  comment?: string;
  json?: boolean;
  yes?: boolean;
}

export function decideCommands(program: Command, cli: Cli): void {
  for (const verb of VERBS) {
    const command = program
      .command(verb.name)
      .description(verb.description)
      .argument('<id>', "PROJECT/NUMBER, or NUMBER in this folder's project")
      .argument('<job>', 'name of the job as shown by `davit status`')
      .option('--comment <text>', 'reason; it is recorded')
      .option('--yes', "confirm the job's manual_confirmation without being asked")
      .option('--json', 'print the result as JSON')
      .addHelpText('after', `\nExample:\n  $ ${verb.example}`);
    command.action((id: string, job: string, options: Options) =>
      decide(cli, { id, job, action: verb.action }, options),
    );
  }
  cancelCommand(program, cli);
}

/** Asks for the confirmation that the job may need. */
export async function decide(
  cli: Cli,
  decision: { id: string; job: string; action: Decision['action'] },
  options: Options,
): Promise<void> {
  const answer = await withServer(cli, async (client) => {
    const id = await resolveId(cli, client, decision.id);
    const request = { action: decision.action, job: decision.job, comment: options.comment };
    if (options.yes) return client.decide(id, { ...request, confirm: true });
    try {
      return await client.decide(id, request);
    } catch (error) {
      if (!(error instanceof DavitError) || error.code !== 'job/unconfirmed' || !cli.io.interactive)
        throw error;
      if (!(await confirmed(cli, error.message))) throw error;
      return client.decide(id, { ...request, confirm: true });
    }
  });
  if (options.json) return printJson(cli, answer);
  return cli.io.out(`${plainText(answer.message)}\n`);
}

function cancelCommand(program: Command, cli: Cli): void {
  program
    .command('cancel')
    .description('cancel a pipeline or one of its jobs; running jobs are stopped and cleaned up')
    .argument('<id>', "PROJECT/NUMBER, or NUMBER in this folder's project")
    .argument('[job]', 'cancel only this job')
    .option('--json', 'print the result as JSON')
    .addHelpText('after', '\nExample:\n  $ davit cancel table/3\n  $ davit cancel table/3 unit')
    .action(async (id: string, job: string | undefined, options: Options) => {
      if (job !== undefined) return decide(cli, { id, job, action: 'cancelJob' }, options);
      const [answer, whole] = await withServer(cli, async (client) => {
        const found = await resolveId(cli, client, id);
        return [await client.cancel(found), found] as const;
      });
      if (options.json) return printJson(cli, answer);
      return cli.io.out(`${whole} is being cancelled; see it with: davit status ${whole}\n`);
    });
}
