/**
 * Prints errors and chooses the exit code: 1 pipeline or check failed, 2 wrong usage or input, 3 something
 * needed cannot be reached.
 */
import { CommanderError } from 'commander';
import { DavitError, errorText } from '../errors.ts';
import type { Cli } from './cli.ts';
import { plainText } from './view/terminal-text.ts';
import { messageOf } from '../utils/message.ts';

const USAGE = 2;
const DEFECT = 1;

/** Prints an error to standard error and returns the exit code. Shows a stack only with DAVIT_DEBUG. */
export function printError(cli: Cli, error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : USAGE; // commander has printed it
  if (cli.settings.debug && error instanceof Error) cli.io.err(`${plainText(error.stack ?? '')}\n`);
  if (error instanceof DavitError) {
    cli.io.err(`${plainText(errorText(error))}\n`);
    return error.exit;
  }
  const message = messageOf(error);
  const first = plainText(message).split('\n')[0] ?? '';
  cli.io.err(
    `Internal error: ${first} [internal/defect]\n  Logs are in ${cli.settings.home}/log; DAVIT_DEBUG=1 shows where it happened.\n`,
  );
  return DEFECT;
}
