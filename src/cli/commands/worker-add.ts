/** `davit worker add`: adds a machine, looking first at everything that a job there would need. */
import { InvalidArgumentError, Option, type Command } from 'commander';
import type { Arch } from '../../plan/model/ids.ts';
import { arches, count } from '../options.ts';
import type { Cli } from '../cli.ts';

export interface WorkerAddOptions {
  docker?: string;
  certs?: string;
  arch?: Arch[];
  emulation?: boolean;
  deploy?: string;
  tags?: string[];
  slots?: number;
  variant?: 'v6' | 'v7';
  project?: string[];
  protectedOnly?: boolean;
  forks?: boolean;
  hostKey?: string;
  systemd?: boolean;
  print?: boolean;
  yes?: boolean;
  json?: boolean;
}

const MAX_SLOTS = 1_000;

export function workerAddCommand(worker: Command, cli: Cli): void {
  worker
    .command('add')
    .description('add a machine: check it, make its token, and run its worker from now on')
    .argument('<name>', 'name of the machine, as people know it')
    .option(
      '--docker <url>',
      'its engine: ssh://USER@HOST, tcp://HOST:PORT with certificates (default: of this machine)',
    )
    .option('--certs <folder>', 'for tcp: folder with ca.pem, cert.pem and key.pem')
    .option('--arch <arch,...>', 'it runs jobs of these architectures: arm32, arm64, amd64', arches)
    .option('--emulation', 'architectures that the engine has to emulate are fine')
    .option('--deploy <target>', 'it deploys to this target of the installation file')
    .option('--tags <tag,...>', 'further tags that it takes jobs for', names)
    .option('--slots <number>', 'jobs at once', count(1, MAX_SLOTS))
    .addOption(new Option('--variant <variant>', 'of arm32').choices(['v6', 'v7']))
    .option('--project <name...>', 'it gets jobs of these projects only')
    .option('--protected-only', 'it gets jobs of protected refs only')
    .option('--forks', 'it gets jobs of forks too')
    .option(
      '--host-key <fingerprint>',
      'its ssh host key, SHA256:…, where nobody is there to confirm it',
      hostKey,
    )
    .option('--systemd', 'a unit of systemd runs its worker, and not `davit up`')
    .option('--print', 'show the files that would be written, and do nothing else')
    .option('--yes', 'do not ask before a unit is written; an unknown host key still needs --host-key')
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      `
Run it on the machine that is to drive the engine. By default \`davit up\` of this machine runs the worker, beside its own.
A second run changes what it names and leaves the rest.

Example:
  $ davit worker add pi4 --docker ssh://pi@pi4.local --arch arm64
  $ davit worker add zero --docker ssh://pi@zero.local --arch arm32 --tags gpio --slots 1 --systemd`,
    )
    .action(async (name: string, options: WorkerAddOptions) => {
      const { runWorkerAdd } = await import('../worker-add.ts');
      await runWorkerAdd(cli, name, options);
    });
}

function names(text: string, before: string[] = []): string[] {
  const found = text.split(',').map((one) => one.trim());
  if (found.some((one) => one === '')) throw new InvalidArgumentError('write names, separated by commas.');
  return [...new Set([...before, ...found])];
}

function hostKey(text: string): string {
  if (!/^SHA256:[A-Za-z0-9+/]{43}=?$/.test(text))
    throw new InvalidArgumentError('write the fingerprint as `ssh-keygen -lf` prints it: SHA256:…');
  return text.replace(/=$/, '');
}
