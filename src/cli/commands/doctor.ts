/** `davit doctor`: what is wrong on this machine, and what to do about each thing. */
import type { Command } from 'commander';
import { printJson, type Cli } from '../cli.ts';
import { withServer } from '../connect.ts';
import { painted } from '../table.ts';
import { plainText } from '../terminal-text.ts';

const SIGNS = { ok: ['✓', 'green'], warn: ['!', 'yellow'], fail: ['✗', 'red'] } as const;
const UNHEALTHY = 1;

export function doctorCommand(program: Command, cli: Cli): void {
  program
    .command('doctor')
    .description(
      'check engine, versions, architectures, Temporal, registry; name the remedy for what is wrong',
    )
    .option('--json', 'print the findings as JSON')
    .addHelpText('after', '\nExample:\n  $ davit doctor')
    .action(async (options: { json?: boolean }) => {
      const { examine, isHealthy } = await import('../../local/doctor/index.ts');
      const workers = () => withServer(cli, (client) => client.workers());
      const reconciliation = () => withServer(cli, (client) => client.reconciliation());
      const findings = await examine({ settings: cli.settings, workers, reconciliation });
      const healthy = isHealthy(findings);
      if (!healthy) cli.exit = UNHEALTHY;
      if (options.json) return printJson(cli, { healthy, findings });
      for (const { name, verdict, found, remedy } of findings) {
        const [sign, paint] = SIGNS[verdict];
        cli.io.out(`${painted(sign, paint, cli.io.outColor)} ${name}: ${plainText(found)}\n`);
        if (remedy) cli.io.out(`    ${plainText(remedy).replaceAll('\n', '\n    ')}\n`);
      }
    });
}
