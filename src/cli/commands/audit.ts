/** `davit audit`: who asked the server to change or decide something, from where, and with which result. */
import type { Command } from 'commander';
import { DavitError } from '../../errors.ts';
import { AUDIT_KINDS, type AuditEntry, type AuditKind } from '../../plan/model/audit.ts';
import { parseDuration } from '../../plan/model/duration.ts';
import type { Cli } from '../cli.ts';
import { withServer } from '../connect.ts';
import { followAudit } from '../client/audit-follower.ts';
import { count } from '../options.ts';
import { auditLine } from '../view/audit-view.ts';

interface Options {
  follow?: boolean;
  json?: boolean;
  since?: string;
  limit: number;
  workers?: boolean;
}

export function auditCommand(program: Command, cli: Cli): void {
  program
    .command('audit')
    .description('show who did what on the server, from where, with which role; refused requests too')
    .option('-f, --follow', 'print entries as they are added')
    .option('--since <time>', 'from this time on, or from so long ago: 2026-01-31T12:00:00Z, 2h, 7 days')
    .option('--limit <number>', 'the newest entries at most', count(1, 10_000), 100)
    .option('--workers', 'also what workers wrote')
    .option('--json', 'print each entry as a line of JSON')
    .addHelpText('after', '\nExample:\n  $ davit audit --since 24h\n  $ davit audit --follow --json')
    .action((options: Options) => print(cli, options));
}

async function print(cli: Cli, options: Options): Promise<void> {
  const since = options.since === undefined ? undefined : timeOf(options.since, Date.now());
  const kinds: AuditKind[] = AUDIT_KINDS.filter((kind) => options.workers || kind !== 'workers');
  const show = (entry: AuditEntry): void =>
    cli.io.out(options.json ? `${JSON.stringify(entry)}\n` : auditLine(entry, cli.io.outColor));
  const tell = (line: string): void => cli.io.err(`${line}\n`);
  await withServer(cli, async (client) => {
    const page = await client.audit({ since, limit: options.limit, kinds: kinds.join() });
    for (const entry of page.entries) show(entry);
    if (page.lost > 0)
      tell(`${page.lost} entries could not be stored since the server was started: check its disk.`);
    if (!options.follow) return;
    const { signal } = new AbortController();
    await followAudit(client, { after: page.entries, kinds, signal, onEntry: show, tell });
  });
}

/** A time, or a duration before now, as ISO 8601. */
export function timeOf(text: string, now: number): string {
  const ago = parseDuration(text);
  const time = /^\d{4}-\d{2}-\d{2}/.test(text) ? Date.parse(text) : ago === undefined ? NaN : now - ago;
  if (Number.isNaN(time) || time < 0)
    throw new DavitError('usage/invalid', `"${text}" is neither a time nor a duration.`, {
      hint: 'Write --since 2026-01-31T12:00:00Z, --since 2h or --since "7 days".',
    });
  return new Date(time).toISOString();
}
