/** `davit prepare`: the set-up of `davit up` without its processes; `npm test` and `npm run bench` use it. */
import type { Command } from 'commander';
import { progressOf, type Cli } from '../cli.ts';

export function prepareCommand(program: Command, cli: Cli): void {
  program
    .command('prepare', { hidden: true })
    .description('set up what is missing on this machine without starting anything')
    .option('--yes', 'set up what is missing without asking; CI=true implies it')
    .addHelpText('after', '\nExample:\n  $ davit prepare')
    .action(async ({ yes = false }: { yes?: boolean }) => {
      const { mayChange } = await import('../consent.ts');
      const swarm = { make: false, use: false };
      if (!(await mayChange(cli, { swarm, yes, command: 'davit prepare --yes' }))) return;
      const { prepare } = await import('../../local/prepare.ts');
      await prepare(cli.settings, progressOf(cli));
    });
}
