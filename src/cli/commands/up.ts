/** `davit up` and `davit down`: everything on this machine. */
import { Option, type Command } from 'commander';
import { DavitError } from '../../errors.ts';
import { printJson, type Cli } from '../cli.ts';

interface Options {
  detach?: boolean;
  swarm?: boolean;
  separateProcesses?: boolean;
  demo?: boolean;
  once?: boolean;
  json?: boolean;
}

export function upCommand(program: Command, cli: Cli): void {
  program
    .command('up')
    .description(
      'start everything on this machine: Temporal, registry, server, workers; set up what is missing',
    )
    .option('-d, --detach', 'go on in the background; `davit down` ends it')
    .option('--swarm', 'make the engine a one-node swarm where it is none, so that deployments have a target')
    .option('--demo', 'run the pipelines of examples/ and show what they made')
    .option('--once', 'with --demo: end when it is done')
    .addOption(new Option('--separate-processes', 'a process for the server and for each worker').hideHelp())
    .option('--json', 'with --detach: print what runs as JSON')
    .addHelpText('after', '\nExample:\n  $ davit up\n  $ davit up --detach && davit run && davit down')
    .action(async (options: Options) => {
      if (options.once && !options.demo) throw new DavitError('usage/invalid', '--once goes with --demo.');
      if (options.detach && options.demo) throw new DavitError('usage/invalid', 'Either --detach or --demo.');
      if (options.detach) return detached(cli, options);
      const { runUp } = await import('../up-session.ts');
      return runUp(cli, {
        swarm: options.swarm === true,
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
    separate: options.separateProcesses === true,
  });
  if (options.json) return printJson(cli, run);
  cli.io.err(
    `davit is up: ${run.server}${run.temporalUi ? `, Temporal UI ${run.temporalUi}` : ''}. End it with: davit down\n`,
  );
}

export function downCommand(program: Command, cli: Cli): void {
  program
    .command('down')
    .description(
      'end what `davit up` started on this machine; running jobs go on and are picked up by the next `up`',
    )
    .addHelpText('after', '\nExample:\n  $ davit down')
    .action(async () => {
      const { down } = await import('../../local/process/daemonize.ts');
      const ended = await down(cli.settings);
      cli.io.err(ended ? 'davit has ended.\n' : 'davit was not running.\n');
    });
}
