/** `davit up` and `davit down`: start and stop davit on this machine. */
import { Option, type Command } from 'commander';
import { DavitError } from '../../errors.ts';
import type { Arch } from '../../plan/model/ids.ts';
import { arches } from '../options.ts';
import type { SwarmWish } from '../../local/setup/swarm.ts';
import { liveRun } from '../../local/process/run-file.ts';
import { printJson, progressOf, type Cli } from '../cli.ts';

interface Options {
  detach?: boolean;
  swarm?: boolean;
  useSwarm?: boolean;
  yes?: boolean;
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
    .option('--use-swarm', 'allow deployments to a swarm that the engine is in and that davit did not make')
    .option('--yes', 'set up what is missing without asking; CI=true implies it')
    .option('--demo', 'run the pipelines of examples/ and show their results')
    .option('--once', 'with --demo: stop when the examples have ended')
    .addOption(new Option('--separate-processes', 'a process for the server and for each worker').hideHelp())
    .option('--json', 'with --detach: print addresses and processes as JSON')
    .addHelpText('after', '\nExample:\n  $ davit up\n  $ davit up --detach && davit run && davit down')
    .action(async (options: Options) => {
      if (options.once && !options.demo) throw new DavitError('usage/invalid', '--once requires --demo.');
      if (options.detach && options.demo)
        throw new DavitError('usage/invalid', '--detach and --demo cannot be combined.');
      const swarm: SwarmWish = {
        make: options.swarm === true || (options.demo === true && 'if-possible'),
        use: options.useSwarm === true,
      };
      if (!(await isAllowed(cli, options, swarm))) return;
      if (options.detach) return detached(cli, options);
      const { runUp } = await import('../up-session.ts');
      return runUp(cli, {
        arches: options.arch,
        swarm,
        separate: options.separateProcesses === true,
        demo: options.demo === true,
        once: options.once === true,
      });
    });
}

async function isAllowed(cli: Cli, options: Options, swarm: SwarmWish): Promise<boolean> {
  const { mayChange } = await import('../consent.ts');
  const flags = ['detach', 'swarm', 'useSwarm', 'demo', 'once'] as const;
  const given = flags
    .filter((name) => options[name])
    .map((name) => ` --${name === 'useSwarm' ? 'use-swarm' : name}`);
  return mayChange(cli, { swarm, yes: options.yes === true, command: `davit up${given.join('')} --yes` });
}

async function detached(cli: Cli, options: Options): Promise<void> {
  const { upDetached } = await import('../../local/process/daemonize.ts');
  const onLine = (line: string): void => cli.io.err(`${line}\n`);
  const swarm = { make: options.swarm === true, use: options.useSwarm === true };
  if ((swarm.make || swarm.use) && (await liveRun(cli.settings))) await settleHere(cli, swarm);
  const run = await upDetached(cli.settings, {
    onLine,
    arches: options.arch,
    swarm,
    separate: options.separateProcesses === true,
  });
  if (options.json) return printJson(cli, run);
  cli.io.err(
    `davit is up: ${run.server}${run.temporalUi ? `, Temporal UI ${run.temporalUi}` : ''}. Stop it with: davit down\n`,
  );
}

/** A davit that runs already does not look at its swarm again. */
async function settleHere(cli: Cli, swarm: SwarmWish): Promise<void> {
  const { askEngine } = await import('../../local/setup/docker.ts');
  const { settleSwarm } = await import('../../local/setup/swarm.ts');
  const local = await askEngine(cli.settings);
  try {
    await settleSwarm(cli.settings, local, { ...swarm, progress: progressOf(cli) });
  } finally {
    await local.engine.close();
  }
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
