/** `davit pipelines` and `davit status`: list pipelines, and show the state of one. */
import type { Command } from 'commander';
import type { PipelineId } from '../../plan/model/ids.ts';
import type { PipelineSummary } from '../../plan/model/records.ts';
import type { ApiClient } from '../client/api-client.ts';
import { printJson, type Cli } from '../cli.ts';
import { resolveId, withServer } from '../connect.ts';
import { count } from '../options.ts';
import { followStatus } from '../client/status-follower.ts';
import { findTemporalUi, linksText } from '../temporal-ui.ts';
import { statusText, type ViewOptions } from '../view/status-view.ts';
import { table } from '../view/table.ts';
import { pipelineCell } from '../view/status-labels.ts';
import { durationText } from '../../utils/duration.ts';

/** Cursor home and clear screen (ECMA-48 CUP and ED). */
const CLEAR = '\u001b[H\u001b[J';

export function pipelinesCommand(program: Command, cli: Cli): void {
  program
    .command('pipelines')
    .description('list pipelines, newest first')
    .option('--project <name>', 'only pipelines of this project')
    .option('--limit <number>', 'maximum number of pipelines, 1 to 200', count(1, 200), 20)
    .option('--json', 'print them as JSON')
    .addHelpText('after', '\nExample:\n  $ davit pipelines\n  $ davit pipelines --project table --limit 5')
    .action(async (options: { project?: string; limit: number; json?: boolean }) => {
      const { project, limit } = options;
      const found = await withServer(cli, (client) => client.pipelines({ project, limit }));
      if (options.json) return printJson(cli, found);
      if (found.length === 0) return cli.io.err('There are no pipelines yet. Start one with: davit run\n');
      return cli.io.out(pipelinesTable(found, { color: cli.io.outColor, now: Date.now() }));
    });
}

export function pipelinesTable(
  list: readonly PipelineSummary[],
  { color, now }: { color: boolean; now: number },
): string {
  const rows = list.map((one) => [
    { text: one.id, paint: 'bold' as const },
    pipelineCell(one),
    one.ref,
    one.sha.slice(0, 8),
    durationText((one.endedAt ?? now) - one.startedAt),
    one.endedAt === undefined ? one.waitingFor.join(', ') : '',
    one.title.slice(0, 60),
  ]);
  return table(['PIPELINE', 'STATE', 'REF', 'COMMIT', 'TIME', 'WAITS FOR', 'TITLE'], rows, color);
}

export function statusCommand(program: Command, cli: Cli): void {
  program
    .command('status')
    .description('show one pipeline: its jobs, what they wait for, decisions, and jobs that can be started')
    .argument('[id]', "PROJECT/NUMBER, or NUMBER in this folder's project (default: the latest pipeline)")
    .option('--json', 'print it as JSON; with --watch one line per change')
    .option('-w, --watch', 'show it again after every change until it has ended')
    .addHelpText('after', '\nExample:\n  $ davit status\n  $ davit status table/3 --json')
    .action(async (text: string | undefined, options: { json?: boolean; watch?: boolean }) =>
      withServer(cli, async (client) => {
        const id = await resolveId(cli, client, text);
        if (options.watch) return watchStatus(cli, client, { id, json: options.json });
        const status = await client.status(id);
        if (options.json) return printJson(cli, status);
        const ui = await findTemporalUi(cli, client);
        const view = statusText(status, viewOptions(cli, client, id));
        return cli.io.out(`${view}${ui ? linksText(ui, id) : ''}`);
      }),
    );
}

const viewOptions = (cli: Cli, { url }: ApiClient, id: PipelineId): ViewOptions => ({
  color: cli.io.outColor,
  now: Date.now(),
  page: `${url}/pipelines/${id}`,
});

/** In a terminal each view replaces the previous one; a pipe receives them one after the other. */
async function watchStatus(
  cli: Cli,
  client: ApiClient,
  { id, json }: { id: PipelineId; json?: boolean },
): Promise<void> {
  const { signal } = new AbortController();
  await followStatus(client, {
    id,
    signal,
    tell: (line) => cli.io.err(`${line}\n`),
    onStatus: (status) => {
      if (json) return cli.io.out(`${JSON.stringify(status)}\n`);
      const view = statusText(status, viewOptions(cli, client, id));
      return cli.io.out(cli.io.columns === undefined ? `${view}\n` : `${CLEAR}${view}`);
    },
  });
}
