/** `davit worker`: runs one worker process of an installation. */
import { Option, type Command } from 'commander';
import { DavitError } from '../../errors.ts';
import { readRunFile } from '../../local/process/run-file.ts';
import type { Settings } from '../../config.ts';
import type { Arch } from '../../plan/model/ids.ts';
import { useEngine, type Cli } from '../cli.ts';
import { arches } from '../options.ts';
import { updateReadyFile, serverWorks } from '../ready-file.ts';
import { underSupervision } from '../ready-signal.ts';
import { fleetCommands } from './fleet.ts';
import { workerAddCommand } from './worker-add.ts';
import { workerTokenCommand } from './worker-token.ts';

interface WorkerOptions {
  arch?: Arch[];
  docker?: string;
  config?: string;
  emulation?: boolean;
  control?: boolean;
  deploy?: string;
  name?: string;
  machine?: string[];
  machines?: boolean;
  permittedSwarm?: boolean;
}

export function workerCommand(program: Command, cli: Cli): void {
  const worker = program
    .command('worker')
    // `worker add` has options of the same names.
    .enablePositionalOptions()
    .description('run one worker: for architectures, for a deploy target, or the control worker')
    .option('--arch <arch,...>', 'run jobs of these architectures: arm32, arm64, amd64', arches)
    .option(
      '--docker <url>',
      'engine to use: unix:///PATH, tcp://HOST:PORT with certificates, ssh://USER@HOST',
    )
    .option('--config <file>', 'worker configuration: tags, slots, devices, engine socket')
    .option('--name <name>', 'name of the machine, as people know it; by default that of its token')
    .option('--emulation', 'allow architectures that the engine has to emulate')
    .addOption(new Option('--control', 'run the workflows').conflicts(['arch', 'deploy']))
    .addOption(
      new Option('--deploy <target>', 'deploy to this target of the installation file').conflicts('arch'),
    )
    .addOption(
      new Option(
        '--machine <name...>',
        'everything that these machines were added for (davit worker add), in one process',
      ).conflicts(['arch', 'control', 'deploy', 'docker', 'config', 'emulation']),
    )
    .addOption(
      new Option(
        '--machines',
        'the same for all machines of this DAVIT_HOME, also for those that are added later',
      ).conflicts(['machine', 'arch', 'control', 'deploy', 'docker', 'config', 'emulation']),
    )
    .addOption(
      new Option(
        '--permitted-swarm',
        'only a swarm that davit made, or that a person has allowed',
      ).hideHelp(),
    )
    .addHelpText(
      'after',
      `
The worker uses the server at DAVIT_SERVER, Temporal at TEMPORAL_ADDRESS (by default those of \`davit up\` on this machine),
and the token in DAVIT_WORKER_TOKEN_FILE, which "davit worker token create" makes.

Example:
  $ davit worker --arch arm32 --docker ssh://pi@table-pi.local
  $ davit worker --deploy tablemaster --docker ssh://ops@swarm-manager`,
    )
    .action(async (options: WorkerOptions) => {
      if (!options.control && options.docker === undefined) await useEngine(cli, 'running');
      const settings = await withLocalAddresses(cli.settings);
      await underSupervision((onReady) =>
        withReadyFile(settings, onReady, (ready) => runWorker(cli, settings, { ...options, onReady: ready })),
      );
    });
  workerTokenCommand(worker, cli);
  fleetCommands(worker, cli);
  workerAddCommand(worker, cli);
}

/** Updates DAVIT_READY_FILE from the moment the worker takes work until it ends. */
async function withReadyFile(
  { readyFile, serverUrl }: Settings,
  onReady: () => void,
  work: (onReady: () => void) => Promise<void>,
): Promise<void> {
  if (readyFile === undefined || serverUrl === undefined) return work(onReady);
  let kept: { stop(): Promise<void> } | undefined;
  try {
    await work(() => {
      kept = updateReadyFile(readyFile, () => serverWorks(serverUrl));
      onReady();
    });
  } finally {
    await kept?.stop();
  }
}

async function runWorker(
  cli: Cli,
  settings: Settings,
  options: WorkerOptions & { onReady(): void },
): Promise<void> {
  const { onReady, docker: dockerAddress } = options;
  const log = (text: string): void => cli.io.err(`${new Date().toISOString()} ${text}\n`);
  if (options.machines) {
    const { serveMachines } = await import('../../local/machines/serve-machines.ts');
    return serveMachines({ settings, onReady, log });
  }
  if (options.machine) {
    const { runMachines } = await import('../../local/machines/run-machines.ts');
    return runMachines({ settings, names: options.machine, onReady, log });
  }
  if (options.control) return (await import('../../../workers/control.ts')).run({ settings, onReady });
  if (options.deploy)
    return (await import('../../../workers/deploy.ts')).run({
      settings,
      target: options.deploy,
      ...(options.name !== undefined && { name: options.name }),
      dockerAddress,
      permittedOnly: options.permittedSwarm,
      onReady,
    });
  if (!options.arch)
    throw new DavitError(
      'usage/invalid',
      'Specify one of --arch, --deploy, --machine, --machines and --control.',
    );
  const { run } = await import('../../../workers/arch.ts');
  return run({
    settings,
    arches: options.arch,
    ...(options.name !== undefined && { name: options.name }),
    dockerAddress,
    configFile: options.config,
    emulation: options.emulation,
    onReady,
    log,
  });
}

/** Fills in addresses that are not set from the davit that runs on this machine. */
export async function withLocalAddresses(settings: Settings): Promise<Settings> {
  const run = await readRunFile(settings);
  return {
    ...settings,
    serverUrl: settings.serverUrl ?? run?.server,
    temporalAddress: settings.temporalAddress ?? run?.temporal,
  };
}
