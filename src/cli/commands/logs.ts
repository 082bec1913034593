/** `davit logs`: prints the log of a job. */
import type { Command } from 'commander';
import type { Cli } from '../cli.ts';
import { resolveId, withServer } from '../connect.ts';
import { followLog } from '../client/log-follower.ts';
import { count } from '../options.ts';
import { JsonLines, MarkReader, OwnLines } from '../view/own-lines.ts';
import { LateWarnings } from '../view/late-warnings.ts';
import { LimitWatch } from '../view/limit-watch.ts';
import { SectionFilter } from '../view/log-sections.ts';
import { TerminalFilter } from '../view/terminal-text.ts';

interface Options {
  follow?: boolean;
  attempt?: number;
  raw?: boolean;
  json?: boolean;
}

export function logsCommand(program: Command, cli: Cli): void {
  program
    .command('logs')
    .description('print the log of a job; of its terminal sequences only colours are kept')
    .argument('<id>', "PROJECT/NUMBER, or NUMBER in this folder's project")
    .argument('<job>', 'name of the job as shown by `davit status`')
    .option('-f, --follow', 'follow the log until the job has ended')
    .option('--attempt <number>', 'attempt of the job (default: the latest)', count(1, 10_000))
    .option('--raw', 'print the unchanged bytes; for files, not for terminals')
    .option('--json', 'print each line as JSON: its text, and whether davit or the job wrote it (source)')
    .addHelpText(
      'after',
      "\nExample:\n  $ davit logs table/3 unit\n  $ davit logs table/3 'build: [arm32]' -f",
    )
    .action((id: string, job: string, options: Options) => print(cli, { id, job }, options));
}

async function print(cli: Cli, target: { id: string; job: string }, options: Options): Promise<void> {
  const filter = new TerminalFilter(cli.io.outColor && !options.json);
  const sections = new SectionFilter();
  const marks = new MarkReader();
  const lines = options.json ? new JsonLines() : new OwnLines();
  const show = (text: string): void => cli.io.out(lines.push(filter.push(text)));
  const cut = new LimitWatch();
  const late = new LateWarnings();
  const write = (text: string): void => {
    cut.push(text);
    late.push(text);
    if (options.raw) cli.io.out(text);
    else show(sections.push(marks.push(text)));
  };
  const finish = (): void => {
    show(sections.push(marks.end()));
    show(sections.end());
    cli.io.out(lines.end());
  };
  const warnIncomplete = (): void =>
    cli.io.err(
      cut.found
        ? 'This log is incomplete: it was cut at its limit (limits.log_bytes of the installation file).\n'
        : 'This log is incomplete: a part was lost with its machine.\n',
    );
  await withServer(cli, async (client) => {
    const id = await resolveId(cli, client, target.id);
    const place = { job: target.job, attempt: options.attempt };
    const writeLate = async (): Promise<void> => {
      if (!options.raw && !cli.io.outClosed.aborted) write(late.lines(await client.status(id), place));
    };
    if (options.follow) {
      const signal = cli.io.outClosed; // a log that nobody reads any more
      const tell = (line: string): void => cli.io.err(`${line}\n`);
      const end = await followLog(client, { id, place, signal, onText: write, tell });
      if (end) await writeLate();
      finish();
      if (end && !end.complete) warnIncomplete();
      return;
    }
    const page = await client.log(id, place);
    const decoder = new TextDecoder();
    for await (const bytes of page.body) {
      if (cli.io.outClosed.aborted) return;
      write(decoder.decode(bytes, { stream: true }));
    }
    write(decoder.decode());
    await writeLate();
    finish();
    if (!page.complete) warnIncomplete();
  });
}
