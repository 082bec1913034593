/** `davit registry`: the registry of `davit up`, for engines of other machines. */
import { hostname } from 'node:os';
import type { Command } from 'commander';
import type { Finding } from '../../local/doctor/check.ts';
import { liveRun } from '../../local/process/run-file.ts';
import type { SharedRegistry } from '../../local/setup/shared-registry.ts';
import { useEngine, type Cli } from '../cli.ts';
import { confirmed } from '../confirm.ts';
import { findingLines } from '../view/finding-lines.ts';

const UNTOLD = 1;

interface EnableOptions {
  host?: string;
  restart?: boolean;
}

export function registryCommand(program: Command, cli: Cli): void {
  const registry = program
    .command('registry')
    .description('the registry of `davit up`, by a name that engines of other machines reach');
  registry
    .command('enable')
    .description('serve it with TLS by one name for all engines, and tell each engine whom to trust')
    .option('--host <name>', 'name or address of this machine, with :PORT if it is not 5443', undefined)
    .option('--restart', 'restart a davit that runs, without asking; running jobs continue')
    .addHelpText(
      'after',
      `
The certificate is of davit's own authority (\`davit ca\`), made if there is none. Engines are told by a short-lived
container that writes /etc/docker/certs.d of their machine. A second run renews and repeats what is missing.

Example:
  $ davit registry enable --host images.example.com
  $ davit registry enable --host 10.1.2.3:5443 --restart`,
    )
    .action((options: EnableOptions) => enable(cli, options));
  registry
    .command('disable')
    .description('serve it on the loopback of this machine only, and take the trust of engines back')
    .option('--restart', 'restart a davit that runs, without asking; running jobs continue')
    .addHelpText('after', '\nExample:\n  $ davit registry disable')
    .action((options: EnableOptions) => disable(cli, options));
}

async function enable(cli: Cli, options: EnableOptions): Promise<void> {
  await useEngine(cli, 'running');
  const { enableRegistry, trustEverywhere } = await import('../../local/setup/enable-registry.ts');
  const { readSharedRegistry } = await import('../../local/setup/shared-registry.ts');
  const before = await readSharedRegistry(cli.settings);
  const shared = await enableRegistry(cli.settings, options.host ?? before?.host ?? hostname());
  cli.io.out(`The registry is ${shared.host}, with a certificate of ${cli.settings.home}/ca.\n`);
  await trustEverywhere(cli.settings, shared, onFinding(cli));
  if (!(await restarted(cli, options, shared))) return;
  const { checkEverywhere } = await import('../../local/setup/enable-registry.ts');
  await checkEverywhere(cli.settings, shared, onFinding(cli));
}

async function disable(cli: Cli, options: EnableOptions): Promise<void> {
  await useEngine(cli, 'running');
  const { disableRegistry } = await import('../../local/setup/enable-registry.ts');
  if (!(await disableRegistry(cli.settings, onFinding(cli))))
    return cli.io.out('The registry is on the loopback of this machine only.\n');
  cli.io.out('The registry is on the loopback of this machine only, once davit starts again.\n');
  await restarted(cli, options, undefined);
}

const onFinding =
  (cli: Cli) =>
  (finding: Finding): void => {
    if (finding.verdict === 'fail') cli.exit = UNTOLD;
    cli.io.out(findingLines(finding, cli.io.outColor));
  };

/** True if davit serves the registry by that name now. */
async function restarted(
  cli: Cli,
  { restart }: EnableOptions,
  shared: SharedRegistry | undefined,
): Promise<boolean> {
  const run = await liveRun(cli.settings);
  if (!run) {
    cli.io.out('It counts when davit starts: davit up --detach\n');
    return false;
  }
  if (shared !== undefined && run.registry === shared.host) return true;
  const asked = 'davit runs; restart it in the background now? Running jobs continue.';
  if (!restart && !(cli.io.interactive && (await confirmed(cli, asked, 'yes')))) {
    cli.io.out('It counts when davit starts again: davit down && davit up --detach\n');
    return false;
  }
  const { down, upDetached } = await import('../../local/process/daemonize.ts');
  await down(cli.settings);
  await upDetached(cli.settings, {
    onLine: (line) => cli.io.err(`${line}\n`),
    swarm: { make: false, use: false },
    arches: run.arches,
  });
  return true;
}
