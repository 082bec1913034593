/** The process behind `davit`. */
import { readSettings } from '../config.ts';
import { processIo } from './cli.ts';
import { tellError } from './exit.ts';
import { runCli } from './program.ts';

// Somebody who reads only the first lines (`davit logs … | head`) has read enough.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));

const settings = readSettings();
const cli = { settings, io: processIo(settings), cwd: process.cwd(), exit: 0 };
// A defect, but told as every other error: never a stack on a terminal.
process.on('unhandledRejection', (error) => process.exit(tellError(cli, error)));
const code = await runCli(cli, process.argv.slice(2));
// A pipe takes 64 KiB at once: what is longer has to be read before the process may end.
await new Promise((resolve) => process.stdout.write('', resolve));
// Nothing that is still open (a build of Temporal that nobody waits for any more) may hold the process.
process.exit(code);
