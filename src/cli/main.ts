/** Entry point of the `davit` process. */
import { enableCompileCache } from 'node:module';
import { join } from 'node:path';
import { readSettings } from '../config.ts';

const settings = readSettings();
// Modules are compiled once, not at every start. Without a writable folder it works without the cache.
enableCompileCache(join(settings.cache, 'compiled'));
const [{ processIo }, { printError }, { Output }, { runCli }, { trustAuthority }] = await Promise.all([
  import('./cli.ts'),
  import('./exit.ts'),
  import('./output.ts'),
  import('./program.ts'),
  import('../local/process/trust.ts'),
]);

const output = new Output(process.stdout, process.stderr);
const cli = { settings, io: processIo(settings, output), cwd: process.cwd(), exit: 0 };
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
await output.flush();
const lost = output.failure ? printError(cli, output.failure) : 0;
// Open work whose result is no longer needed, such as a build of Temporal, must not keep the process alive.
process.exit(code || lost);
