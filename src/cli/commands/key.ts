/** `davit key`: the keys of the installation, on the server's machine. */
import type { Command } from 'commander';
import { printJson, type Cli } from '../cli.ts';
import { signCommand } from './sign-approval.ts';

export function keyCommand(program: Command, cli: Cli): void {
  const key = program.command('key').description("keys that seal and sign, on the server's machine");
  key
    .command('rotate')
    .description('seal and sign with a new key from now on; what former keys have made stays valid')
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      `
The server reads the file again by itself. Remove a former key from DAVIT_KEY_FILE when all jobs of its time have
ended: what it sealed cannot be opened then.

Example:
  $ davit key rotate`,
    )
    .action(async ({ json }: { json?: boolean }) => {
      const { rotateInstallationKey } = await import('../../local/setup/rotate-key.ts');
      const keys = rotateInstallationKey(cli.settings);
      if (json) return printJson(cli, { file: cli.settings.keyFile, keys });
      return cli.io.out(`${cli.settings.keyFile} has ${keys} keys; the first one is new.\n`);
    });
  signCommand(key, cli);
}
