/** `davit server`: runs the server for webhooks, API, logs and blobs. */
import type { Command } from 'commander';
import type { Cli } from '../cli.ts';
import { count } from '../options.ts';
import { updateReadyFile } from '../ready-file.ts';
import { underSupervision } from '../ready-signal.ts';

export function serverCommand(program: Command, cli: Cli): void {
  program
    .command('server')
    .description('run the server: webhooks, API, logs, blobs')
    .option(
      '--port <number>',
      'port to listen on (default: from the installation file); 0 selects a free one',
      count(0, 65_535),
    )
    .option('--host <address>', 'address to listen on (default: from the installation file)')
    .addHelpText('after', '\nExample:\n  $ TEMPORAL_ADDRESS=temporal:7233 davit server --port 8420')
    .action((options: { port?: number; host?: string }) =>
      underSupervision(async (onReady) => {
        const { startLocalServer } = await import('../../local/machine/local-server.ts');
        const server = await startLocalServer(cli.settings, options);
        cli.io.err(`${new Date().toISOString()} server at ${server.url}\n`);
        onReady();
        const { readyFile } = cli.settings;
        // Its own address may have a certificate that is valid for another name only.
        const ready = readyFile === undefined ? undefined : updateReadyFile(readyFile, server.works);
        await new Promise<void>((resolve) => process.once('SIGTERM', resolve).once('SIGINT', resolve));
        await ready?.stop();
        await server.close();
      }),
    );
}
