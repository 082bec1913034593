/** `davit deliveries`: what forges sent, what was made of it, and why a push started nothing. */
import type { Command } from 'commander';
import type { DeliveriesPage, ShownDelivery, UnsignedDeliveries } from '../../plan/model/delivery.ts';
import { printJson, type Cli } from '../cli.ts';
import { withServer } from '../connect.ts';
import { count } from '../options.ts';
import { stateCell } from '../view/status-labels.ts';
import { table, type Cell, type Paint } from '../view/table.ts';
import { plainText } from '../view/terminal-text.ts';

export function deliveriesCommand(program: Command, cli: Cli): void {
  program
    .command('deliveries')
    .description('show what forges delivered, and why a push started nothing')
    .argument('[project]', 'only those of this project')
    .option('--limit <number>', 'the newest deliveries, 1 to 200', count(1, 200), 20)
    .option('--json', 'print them as JSON')
    .addHelpText(
      'after',
      '\nExample:\n  $ davit deliveries table\n  $ davit deliveries table --limit 5 --json',
    )
    .action(async (project: string | undefined, { limit, json }: { limit: number; json?: boolean }) => {
      const page = await withServer(cli, (client) => client.deliveries({ project, limit }));
      if (json) return printJson(cli, page);
      return cli.io.out(deliveriesText(page, cli.io.outColor));
    });
}

export function deliveriesText({ deliveries, unsigned }: DeliveriesPage, color: boolean): string {
  const rows = deliveries.map((one) => [
    new Date(one.at).toISOString().slice(0, 19).replace('T', ' '),
    { text: one.project, paint: 'bold' as const },
    `${one.forge} ${one.event}`,
    one.ref ?? '',
    one.sha?.slice(0, 8) ?? '',
    one.sender ?? '',
    one.delivery.slice(0, 8),
    resultCell(one),
  ]);
  const head = ['TIME (UTC)', 'PROJECT', 'EVENT', 'REF', 'COMMIT', 'SENDER', 'DELIVERY', 'RESULT'];
  const all = rows.length > 0 ? table(head, rows, color) : 'No forge has delivered anything yet.\n';
  return `${all}${unsigned.map(unsignedText).join('')}`;
}

const PAINTS: Readonly<Record<ShownDelivery['result'], Paint>> = {
  started: 'green',
  repeated: 'dim',
  waiting: 'blue',
  nothing: 'yellow',
  ignored: 'dim',
  refused: 'red',
  unknown: 'yellow',
};
function resultCell({ result, pipeline, state, reason }: ShownDelivery): Cell {
  if (result === 'started')
    return {
      text: `started ${pipeline ?? ''}${state ? `, ${stateCell(state).text}` : ''}`,
      paint: PAINTS[result],
    };
  const word = result === 'nothing' ? 'started nothing' : result;
  return { text: `${word}${reason === undefined ? '' : `: ${reason}`}`, paint: PAINTS[result] };
}

function unsignedText({ forge, project, count: times, lastAt, lastReason }: UnsignedDeliveries): string {
  const where = plainText(project === undefined ? forge : `${forge} for ${project}`);
  const at = new Date(lastAt).toISOString().slice(0, 19).replace('T', ' ');
  return `! ${times} deliveries from ${where} were not accepted, the last at ${at}: ${lastReason}. Compare the secret and the content type of the webhook: docs/forges.\n`;
}
