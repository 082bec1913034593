/** `davit backup` and `davit restore`: the server of this machine as one file. */
import { relative } from 'node:path';
import { InvalidArgumentError, type Command } from 'commander';
import type { Settings } from '../../config.ts';
import { DavitError } from '../../errors.ts';
import { COUNTERS } from '../../plan/model/records.ts';
import { printJson, type Cli } from '../cli.ts';
import { count } from '../options.ts';
import { plainText } from '../view/terminal-text.ts';
import { sizeText } from '../../utils/size-text.ts';

const DAMAGED = 1;
const MAX_NUMBER = 90_000_000;
const SHOWN = 5;

export function backupCommands(program: Command, cli: Cli): void {
  program
    .command('backup')
    .description(
      'save the server of this machine as one file, also while davit runs: DAVIT_HOME with its keys',
    )
    .argument('<path>', 'the file, or a folder for it')
    .option('--without-images', 'leave the registry out: images can be built again')
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      `
The file contains keys and tokens: protect it like these. The registry is a part of it where davit runs it.

Example:
  $ davit backup /mnt/backups
  $ davit restore /mnt/backups/davit-2026-05-04T030000Z.tgz`,
    )
    .action(async (path: string, options: { withoutImages?: boolean; json?: boolean }) => {
      const { backup } = await import('../../local/backup/backup.ts');
      const now = Date.now();
      const done = await backup(cli.settings, { to: path, images: options.withoutImages !== true, now });
      const { file, bytes, manifest, damaged } = done;
      const files = Object.keys(manifest.files).length;
      const seconds = secondsSince(now);
      const outside = outsideOf(cli.settings);
      if (damaged.length > 0) cli.exit = DAMAGED;
      if (options.json)
        return printJson(cli, {
          ...{ file, bytes, files, seconds, damaged, outside },
          ...{ epoch: manifest.epoch, temporal: manifest.database !== undefined, images: manifest.images },
        });
      cli.io.out(`${file}\n`);
      cli.io.err(`${files} files, ${sizeText(bytes)}, ${seconds} s. It contains keys: protect it.\n`);
      if (manifest.database === undefined)
        cli.io.err('Not in it: the database of Temporal. Save that one before davit, by its own means.\n');
      for (const name of outside) cli.io.err(`Not in it, because it is outside of DAVIT_HOME: ${name}\n`);
      return cli.io.err(damagedText(damaged));
    });
  restoreCommand(program, cli);
}

interface RestoreOptions {
  after?: number;
  unpacked?: number;
  json?: boolean;
}

function restoreCommand(program: Command, cli: Cli): void {
  program
    .command('restore')
    .description('make DAVIT_HOME, which must be empty, of a file of `davit backup`; checks all of it first')
    .argument('[file]', 'the backup')
    .option(
      '--after <number>',
      'new pipelines get numbers above this one: the highest that anybody has seen',
      count(1, MAX_NUMBER),
    )
    .option(
      '--unpacked <time>',
      'instead of a file: DAVIT_HOME was unpacked already, from a backup of this time',
      time,
    )
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      `
Pipelines that ran after the backup are unknown to it. So that targets refuse nothing, and no number is given twice,
new pipelines go on at a higher one: a thousand for each hour since the backup.

Example:
  $ davit restore /mnt/backups/davit-2026-05-04T030000Z.tgz && davit up --detach`,
    )
    .action((file: string | undefined, options: RestoreOptions) => {
      const { unpacked } = options;
      if ((file === undefined) === (unpacked === undefined))
        throw new DavitError('usage/invalid', 'Name either a backup or, with --unpacked, the time of one.');
      return file === undefined ? adopted(cli, unpacked ?? 0, options) : restored(cli, file, options);
    });
}

async function restored(cli: Cli, from: string, { after, json }: RestoreOptions): Promise<void> {
  const { damagedIn, restore } = await import('../../local/backup/restore.ts');
  const now = Date.now();
  const done = await restore(cli.settings, { from, now, ...(after !== undefined && { after }) });
  const { manifest, epoch, counters } = done;
  const damaged = damagedIn(manifest);
  const seconds = secondsSince(now);
  const createdAt = new Date(manifest.createdAt).toISOString();
  if (damaged.length > 0) cli.exit = DAMAGED;
  if (json) return printJson(cli, { createdAt, epoch, counters, seconds, damaged });
  cli.io.err(`Restored to ${cli.settings.home}: the state of ${createdAt}, epoch ${epoch}, ${seconds} s.\n`);
  cli.io.err(numbersText(counters));
  cli.io.err(damagedText(damaged));
  return cli.io.err('Start davit with: davit up --detach. Then check each environment: davit environments\n');
}

async function adopted(cli: Cli, backupAt: number, { after, json }: RestoreOptions): Promise<void> {
  const { adopt } = await import('../../local/backup/restore.ts');
  const now = Date.now();
  const { epoch, counters } = await adopt(cli.settings, {
    ...{ backupAt, now },
    ...(after !== undefined && { after }),
  });
  if (json) return printJson(cli, { epoch, counters });
  return cli.io.err(`Epoch ${epoch} begins.\n${numbersText(counters)}`);
}

/** A time as text to epoch ms. */
function time(text: string): number {
  const at = Date.parse(text);
  if (Number.isNaN(at) || at > Date.now())
    throw new InvalidArgumentError('write a time that has passed, as 2026-05-04T03:00:00Z.');
  return at;
}

const numbersText = (counters: Readonly<Record<string, number>>): string =>
  Object.entries(counters)
    .filter(([name]) => name.startsWith(COUNTERS.iid('')))
    .map(
      ([name, next]) => `The next pipeline is ${plainText(name.slice(COUNTERS.iid('').length))}/${next}.\n`,
    )
    .join('');

const secondsSince = (start: number): number => Math.round((Date.now() - start) / 100) / 10;

const damagedText = (damaged: readonly string[]): string => {
  if (damaged.length === 0) return '';
  const more = damaged.length > SHOWN ? ` and ${damaged.length - SHOWN} more` : '';
  return `Damaged, their content is not what was stored: ${damaged.slice(0, SHOWN).join(', ')}${more}\n`;
};

/** Files that this installation reads from elsewhere. */
export function outsideOf(settings: Settings): string[] {
  const { home, installationFile, keyFile, registryKeyFile, payloadKeyFile, workersFile } = settings;
  const named = [installationFile, keyFile, registryKeyFile, payloadKeyFile, workersFile];
  return named.filter((path) => path !== undefined).filter((path) => relative(home, path).startsWith('..'));
}
