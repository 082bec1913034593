/** `davit prepare`: the set-up of `davit up` without its processes; what `npm test` and `npm run bench` stand on. */
import type { Command } from 'commander';
import { progressOf, type Cli } from '../cli.ts';

export function prepareCommand(program: Command, cli: Cli): void {
  program
    .command('prepare', { hidden: true })
    .description('set up what is missing on this machine, and start nothing')
    .addHelpText('after', '\nExample:\n  $ davit prepare')
    .action(async () => {
      const { prepare } = await import('../../local/prepare.ts');
      await prepare(cli.settings, progressOf(cli));
    });
}
