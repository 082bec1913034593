/** `davit disk`: shows what each project uses on the server's disk. */
import type { Command } from 'commander';
import type { ProjectUsage } from '../../adapters/ports.ts';
import { printJson, type Cli } from '../cli.ts';
import { withServer } from '../connect.ts';
import { table } from '../view/table.ts';

export function diskCommand(program: Command, cli: Cli): void {
  program
    .command('disk')
    .description("show what each project uses on the server's disk")
    .option('--json', 'print the bytes as JSON')
    .addHelpText(
      'after',
      `
What bounds it: expire_in of artifacts; limits.artifact_age, limits.log_age, limits.log_bytes and
limits.artifact_bytes of the installation file. What nothing needs is removed four times a day, and by \`davit doctor --fix\`. Images are in
the registry, build caches on the engines: \`docker system df\`.

Example:
  $ davit disk`,
    )
    .action(async (options: { json?: boolean }) => {
      const { usage, removable } = await withServer(cli, async (client) => ({
        usage: await client.usage(),
        removable: await client.collect(true),
      }));
      if (options.json) return printJson(cli, { ...usage, removable });
      const rows = usage.projects.map((one) => [
        { text: one.project, paint: 'bold' as const },
        ...cells(one),
      ]);
      cli.io.out(table(HEAD, rows, cli.io.outColor));
      const bytes = removable.bytes + (removable.logs?.bytes ?? 0);
      return cli.io.out(
        `Named by no ended pipeline: ${sizeText(usage.rest)}. The next collection removes ${sizeText(bytes)}.\n`,
      );
    });
}

const HEAD = ['PROJECT', 'LOGS', 'SOURCES', 'ARTIFACTS', 'CACHES', 'OTHER', 'TOTAL'];

function cells({ logs, sources, artifacts, caches, others }: ProjectUsage): string[] {
  const each = [logs, sources, artifacts, caches, others];
  return [...each, each.reduce((sum, one) => sum + one, 0)].map(sizeText);
}

const UNITS = ['B', 'KB', 'MB', 'GB', 'TB'];

export function sizeText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1_000 && unit < UNITS.length - 1) {
    value /= 1_000;
    unit += 1;
  }
  return `${unit === 0 || value >= 10 ? Math.round(value) : value.toFixed(1)} ${UNITS[unit] ?? ''}`;
}
