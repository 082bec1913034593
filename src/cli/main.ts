/** Entry point of the `davit` process. */
import { enableCompileCache } from 'node:module';
import { join } from 'node:path';
import { readSettings } from '../config.ts';

const settings = readSettings();
// Modules are compiled once, not at every start. Without a writable folder it works without the cache.
enableCompileCache(join(settings.cache, 'compiled'));
const [{ processIo }, { printError }, { runCli }, { trustAuthority }] = await Promise.all([
  import('./cli.ts'),
  import('./exit.ts'),
  import('./program.ts'),
  import('../local/process/trust.ts'),
]);

// A reader that closes the pipe early (`davit logs … | head`) is not an error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));

const cli = { settings, io: processIo(settings), cwd: process.cwd(), exit: 0 };
// A defect, but printed like any other error, without a stack.
process.on('unhandledRejection', (error) => process.exit(printError(cli, error)));
// The channel to a supervisor must not keep the process alive. This is done here and not at the listener:
// that code also runs in processes that do not own their channel, and a listener cannot undo an unref.
process.channel?.unref();
try {
  trustAuthority(settings);
} catch (error) {
  process.exit(printError(cli, error));
}
const code = await runCli(cli, process.argv.slice(2));
// A pipe buffers 64 KiB: longer output must be read before the process may exit.
await new Promise((resolve) => process.stdout.write('', resolve));
// Open work whose result is no longer needed, such as a build of Temporal, must not keep the process alive.
process.exit(code);
