/** `davit retry`: one job, what has failed in a pipeline, or a whole pipeline again. */
import type { Command } from 'commander';
import { DavitError } from '../../errors.ts';
import type { RetryResponse } from '../../server/api.ts';
import { printJson, type Cli } from '../cli.ts';
import { resolveId, withServer } from '../connect.ts';
import { plainText } from '../view/terminal-text.ts';
import { detached } from './start.ts';
import { decide } from './submit-decision.ts';

interface Options {
  all?: boolean;
  comment?: string;
  json?: boolean;
  yes?: boolean;
}

export function retryCommand(program: Command, cli: Cli): void {
  program
    .command('retry')
    .description('run a job again, or all failed and cancelled jobs of a pipeline, also of an ended one')
    .argument('<id>', "PROJECT/NUMBER, or NUMBER in this folder's project")
    .argument('[job]', 'only this job, as shown by `davit status`, also if it has succeeded')
    .option(
      '--all',
      'run the whole pipeline again, as a new one: `davit start --again`, without following it',
    )
    .option('--comment <text>', 'reason; it is recorded')
    .option('--yes', "confirm the job's manual_confirmation without being asked")
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      "\nExample:\n  $ davit retry table/3\n  $ davit retry table/3 'build: [arm32]'\n  $ davit retry table/3 --all",
    )
    .action(async (id: string, job: string | undefined, options: Options) => {
      if (options.all) return whole(cli, { id, job }, options);
      if (job !== undefined) return decide(cli, { id, job, action: 'retry' }, options);
      return failed(cli, id, options);
    });
}

async function whole(
  cli: Cli,
  { id, job }: { id: string; job: string | undefined },
  options: Options,
): Promise<void> {
  if (job !== undefined || options.comment !== undefined)
    throw new DavitError('usage/invalid', '--all runs every job, and takes neither a job nor a comment.');
  return detached(cli, { again: id }, options);
}

async function failed(cli: Cli, text: string, { comment, json }: Options): Promise<void> {
  const { id, answer } = await withServer(cli, async (client) => {
    const found = await resolveId(cli, client, text);
    return {
      id: found,
      answer: await client.retryPipeline(found, { ...(comment !== undefined && { comment }) }),
    };
  });
  if (answer.retried.length === 0) cli.exit = 1;
  if (json) return printJson(cli, answer);
  return cli.io.out(retriedText(id, answer));
}

export function retriedText(id: string, { retried, refused }: RetryResponse): string {
  const lines = [
    ...(retried.length > 0 ? [`${id} continues with ${retried.join(', ')}.`] : []),
    ...refused.map(({ job, message }) => `${job} does not run again: ${message}`),
  ];
  return lines.map((line) => `${plainText(line).replace(/\n/g, ' ')}\n`).join('');
}
