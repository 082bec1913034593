/**
 * `davit machine`: the process that `davit up` keeps running. It gets its list of workers over its channel,
 * or from options.
 */
import type { Command } from 'commander';
import type { Arch } from '../../plan/model/ids.ts';
import type { WorkerSpec } from '../../local/machine/messages.ts';
import type { Cli } from '../cli.ts';
import { arches, count } from '../options.ts';
import { underSupervision } from '../ready-signal.ts';

interface Options {
  port?: number;
  host?: string;
  control?: boolean;
  arch?: Arch[];
  emulation?: boolean;
  config?: string;
  docker?: string;
  deploy?: string;
}

export function machineCommand(program: Command, cli: Cli): void {
  program
    .command('machine', { hidden: true })
    .description('run the server and all workers of one machine in one process')
    .option('--port <number>', 'of the server; 0 takes a free one', count(0, 65_535))
    .option('--host <address>', 'address that the server listens on')
    .option('--control', 'run the workflows')
    .option('--arch <arch,...>', 'take jobs of these architectures', arches)
    .option('--emulation', 'architectures that the engine has to emulate are fine')
    .option('--config <file>', 'what the worker of architectures may give to jobs')
    .option('--docker <url>', 'engine of the worker of architectures')
    .option('--deploy <target>', 'deploy to this target of the installation file')
    .addHelpText('after', '\nExample:\n  $ davit machine --port 8420 --control --arch amd64')
    .action((options: Options) => underSupervision((onReady) => serve(cli, options, onReady)));
}

async function serve(cli: Cli, options: Options, onReady: () => void): Promise<void> {
  const { Machine } = await import('../../local/machine/serve.ts');
  const { readServeRequest } = await import('../../local/machine/messages.ts');
  // Listened to until the end: a second one must not cut the hand-over of jobs short.
  const asked = new Promise<void>((resolve) => process.on('SIGTERM', resolve).on('SIGINT', resolve));
  const machine = await Machine.start({
    settings: cli.settings,
    port: options.port,
    host: options.host,
    log: (text) => cli.io.err(`${new Date().toISOString()} ${text}\n`),
    report: (state) => {
      if (process.connected) process.send?.(state, undefined, {}, () => undefined); // the supervisor may be gone
    },
  });
  let turn = Promise.resolve();
  const onMessage = (message: unknown): void => {
    const request = readServeRequest(message);
    if (!request) return;
    // In order: a worker that is replaced ends before its successor starts.
    turn = turn.then(() =>
      request.kind === 'dismiss' ? machine.dismiss(request.name) : void machine.serve(request.worker),
    );
  };
  process.on('message', onMessage);
  try {
    const ready = Promise.all(workersOf(options).map((worker) => machine.serve(worker))).then(onReady);
    await Promise.race([asked, machine.failed, ready.then(() => asked)]);
  } finally {
    process.off('message', onMessage);
    await machine.stop();
  }
}

function workersOf(options: Options): WorkerSpec[] {
  const { arch, deploy, docker } = options;
  const workers: WorkerSpec[] = [];
  if (options.control) workers.push({ kind: 'control' });
  if (arch)
    workers.push({
      kind: 'arch',
      arches: arch,
      emulation: options.emulation === true,
      configFile: options.config,
      docker,
    });
  if (deploy !== undefined) workers.push({ kind: 'deploy', target: deploy });
  return workers;
}
