/** `davit doctor`: finds what is wrong on this machine, with a remedy for each finding. */
import type { Command } from 'commander';
import type { Finding } from '../../local/doctor/check.ts';
import type { Fix } from '../../local/doctor/fix.ts';
import { printJson, progressOf, useEngine, type Cli } from '../cli.ts';
import { withServer } from '../connect.ts';
import { findTemporalUi } from '../temporal-ui.ts';
import { painted } from '../view/table.ts';
import { plainText } from '../view/terminal-text.ts';

const SIGNS = { ok: ['✓', 'green'], warn: ['!', 'yellow'], fail: ['✗', 'red'] } as const;
const UNHEALTHY = 1;

interface Options {
  json?: boolean;
  fix?: boolean;
  dryRun?: boolean;
  security?: boolean;
  fleet?: boolean;
}

export function doctorCommand(program: Command, cli: Cli): void {
  program
    .command('doctor')
    .description(
      'check engine, versions, architectures, Temporal and registry, and show a remedy for each problem',
    )
    .option('--json', 'print the findings as JSON')
    .option(
      '--fix',
      'first repair what a crash left: stale locks, leftovers, file modes, an engine that is down',
    )
    .option('--dry-run', 'with --fix: show what would be done, and change nothing')
    .option('--security', 'show what the defaults of this version change for this installation')
    .option('--fleet', 'show what every machine of the installation finds, and which are missing')
    .addHelpText(
      'after',
      '\nExample:\n  $ davit doctor\n  $ davit doctor --fleet\n  $ davit doctor --fix --dry-run',
    )
    .action(async (options: Options) => {
      const fixes = options.fix || options.dryRun ? await runFixes(cli, options) : undefined;
      const { isHealthy } = await import('../../local/doctor/index.ts');
      const findings = await findingsOf(cli, options);
      const healthy = isHealthy(findings);
      if (!healthy) cli.exit = UNHEALTHY;
      if (options.json) return printJson(cli, { healthy, findings, ...(fixes && { fixes }) });
      for (const { name, verdict, found, remedy, machine } of findings) {
        const [sign, paint] = SIGNS[verdict];
        const what = machine === undefined ? name : plainText(`${machine}: ${name}`);
        cli.io.out(`${painted(sign, paint, cli.io.outColor)} ${what}: ${plainText(found)}\n`);
        if (remedy) cli.io.out(`    ${plainText(remedy).replaceAll('\n', '\n    ')}\n`);
      }
    });
}

async function findingsOf(cli: Cli, options: Options): Promise<Finding[]> {
  if (options.fleet) {
    const { examineFleet } = await import('../../local/doctor/fleet.ts');
    return examineFleet({
      fleet: () => withServer(cli, (client) => client.fleet()),
      askForChecks: () => withServer(cli, (client) => client.askForChecks()),
    });
  }
  const workers = () => withServer(cli, (client) => client.workers());
  if (options.security) {
    const { examineSecurity } = await import('../../local/doctor/security.ts');
    return examineSecurity(cli.settings, workers, () => withServer(cli, (client) => client.workerTokens()));
  }
  const { examine } = await import('../../local/doctor/index.ts');
  return examine({
    settings: cli.settings,
    workers,
    reconciliation: () => withServer(cli, (client) => client.reconciliation()),
    commitStatuses: () => withServer(cli, (client) => client.commitStatuses()),
    temporalUi: () => withServer(cli, (client) => findTemporalUi(cli, client)),
  });
}

/** Does not ask for confirmation; --dry-run shows the fixes without applying them. */
async function runFixes(cli: Cli, { json, dryRun = false }: Options): Promise<Fix[]> {
  const { fix } = await import('../../local/doctor/fix.ts');
  await useEngine(cli, 'running');
  const collect = (dry: boolean) => withServer(cli, (client) => client.collect(dry));
  const fixes = await fix({ settings: cli.settings, dryRun, progress: progressOf(cli), collect });
  if (json) return fixes;
  for (const { name, what, done, problem } of fixes) {
    const word = done ? 'fixed' : problem !== undefined ? 'not fixed' : 'would fix';
    cli.io.out(
      `${word} ${name}: ${plainText(what)}${problem === undefined ? '' : ` (${plainText(problem)})`}\n`,
    );
  }
  if (fixes.length === 0) cli.io.out('Nothing to fix.\n');
  return fixes;
}
