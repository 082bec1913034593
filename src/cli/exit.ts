/** What a person sees of an error, and the exit code: 1 pipeline or check failed, 2 wrong usage or input, 3 cannot reach. */
import { CommanderError } from 'commander';
import { DavitError, errorText } from '../errors.ts';
import type { Cli } from './cli.ts';
import { plainText } from './view/terminal-text.ts';
import { messageOf } from '../utils/message.ts';

const USAGE = 2;
const DEFECT = 1;

/** Tells of an error on standard error, and answers the exit code. Never a stack, unless DAVIT_DEBUG asks for it. */
export function tellError(cli: Cli, error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : USAGE; // commander has written it
  if (cli.settings.debug && error instanceof Error) cli.io.err(`${plainText(error.stack ?? '')}\n`);
  if (error instanceof DavitError) {
    cli.io.err(`${plainText(errorText(error))}\n`);
    return error.exit;
  }
  const message = messageOf(error);
  const first = plainText(message).split('\n')[0] ?? '';
  cli.io.err(
    `A defect of davit: ${first} [internal/defect]\n  Its logs are in ${cli.settings.home}/log; DAVIT_DEBUG=1 shows where it happened.\n`,
  );
  return DEFECT;
}
