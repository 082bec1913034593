/** `davit token`: creates a token for a user of the installation file. */
import { randomBytes } from 'node:crypto';
import type { Command } from 'commander';
import { printJson, type Cli } from '../cli.ts';
import { sha256 } from '../../utils/sha256.ts';

export function tokenCommand(program: Command, cli: Cli): void {
  program
    .command('token')
    .description('create a user token: the token for DAVIT_TOKEN_FILE, its hash for the installation file')
    .option('--json', 'print both as JSON')
    .addHelpText('after', '\nExample:\n  $ davit token')
    .action((options: { json?: boolean }) => {
      const token = randomBytes(32).toString('hex');
      const hash = sha256(token);
      if (options.json) return printJson(cli, { token, token_sha256: hash });
      return cli.io.out(`token         ${token}\ntoken_sha256  ${hash}\n`);
    });
}
