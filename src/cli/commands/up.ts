/** `davit up` and `davit down`: start and stop davit on this machine. */
import { Option, type Command } from 'commander';
import { DavitError } from '../../errors.ts';
import type { Arch } from '../../plan/model/ids.ts';
import { printJson, type Cli } from '../cli.ts';
import { arches } from '../options.ts';

interface Options {
  detach?: boolean;
  swarm?: boolean;
  separateProcesses?: boolean;
  arch?: Arch[];
  demo?: boolean;
  once?: boolean;
  json?: boolean;
}

interface DownOptions {
  purge?: boolean;
  dryRun?: boolean;
  yes?: boolean;
}

export function upCommand(program: Command, cli: Cli): void {
  program
    .command('up')
    .description('start Temporal, registry, server and workers on this machine, and set up what is missing')
    .option('-d, --detach', 'run in the background; `davit down` stops it')
    .option(
      '--swarm',
      'make the engine a one-node swarm if it is not in a swarm, as a target for deployments',
    )
    .option(
      '--arch <arch,...>',
      "this machine's own worker runs jobs of these architectures only (default: all that it can)",
      arches,
    )
    .option('--demo', 'run the pipelines of examples/ and show their results')
    .option('--once', 'with --demo: stop when the examples have ended')
    .addOption(new Option('--separate-processes', 'a process for the server and for each worker').hideHelp())
    .option('--json', 'with --detach: print addresses and processes as JSON')
    .addHelpText('after', '\nExample:\n  $ davit up\n  $ davit up --detach && davit run && davit down')
    .action(async (options: Options) => {
      if (options.once && !options.demo) throw new DavitError('usage/invalid', '--once requires --demo.');
      if (options.detach && options.demo)
        throw new DavitError('usage/invalid', '--detach and --demo cannot be combined.');
      if (options.detach) return detached(cli, options);
      const { runUp } = await import('../up-session.ts');
      return runUp(cli, {
        swarm: options.swarm === true,
        arches: options.arch,
        separate: options.separateProcesses === true,
        demo: options.demo === true,
        once: options.once === true,
      });
    });
}

async function detached(cli: Cli, options: Options): Promise<void> {
  const { upDetached } = await import('../../local/process/daemonize.ts');
  const onLine = (line: string): void => cli.io.err(`${line}\n`);
  const run = await upDetached(cli.settings, {
    onLine,
    swarm: options.swarm === true,
    arches: options.arch,
    separate: options.separateProcesses === true,
  });
  if (options.json) return printJson(cli, run);
  cli.io.err(
    `davit is up: ${run.server}${run.temporalUi ? `, Temporal UI ${run.temporalUi}` : ''}. Stop it with: davit down\n`,
  );
}

export function downCommand(program: Command, cli: Cli): void {
  program
    .command('down')
    .description(
      'stop what `davit up` started on this machine; running jobs continue, and the next `up` resumes them',
    )
    .option('--purge', 'also remove everything that davit made on this machine, its data included')
    .option('--dry-run', 'with --purge: show what would be removed and what stays')
    .option('--yes', 'with --purge: do not ask')
    .addHelpText('after', '\nExample:\n  $ davit down\n  $ davit down --purge --dry-run')
    .action(async (options: DownOptions) => {
      if (options.purge) {
        const { runPurge } = await import('../purge.ts');
        return runPurge(cli, options);
      }
      const { down } = await import('../../local/process/daemonize.ts');
      const stopped = await down(cli.settings);
      cli.io.err(stopped ? 'davit has stopped.\n' : 'davit was not running.\n');
    });
}
