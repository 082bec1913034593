/** The process behind `davit`. */
import { enableCompileCache } from 'node:module';
import { join } from 'node:path';
import { readSettings } from '../config.ts';

const settings = readSettings();
// Types are taken off and modules compiled once, not at every start. Where that folder cannot be had it goes on without.
enableCompileCache(join(settings.cache, 'compiled'));
const [{ processIo }, { tellError }, { runCli }] = await Promise.all([
  import('./cli.ts'),
  import('./exit.ts'),
  import('./program.ts'),
]);

// Somebody who reads only the first lines (`davit logs … | head`) has read enough.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));

const cli = { settings, io: processIo(settings), cwd: process.cwd(), exit: 0 };
// A defect, but told as every other error: never a stack on a terminal.
process.on('unhandledRejection', (error) => process.exit(tellError(cli, error)));
// A supervisor that is waited for in vain must not hold the process. Said here, once, and not where the channel is listened
// to: that code also runs in processes whose channel is somebody else's, and an unref cannot be taken back by a listener.
process.channel?.unref();
const code = await runCli(cli, process.argv.slice(2));
// A pipe takes 64 KiB at once: what is longer has to be read before the process may end.
await new Promise((resolve) => process.stdout.write('', resolve));
// Nothing that is still open (a build of Temporal that nobody waits for any more) may hold the process.
process.exit(code);
