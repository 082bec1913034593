/** `davit server`: runs the server for webhooks, API, logs and blobs. */
import { join } from 'node:path';
import type { Command } from 'commander';
import type { Cli } from '../cli.ts';
import { count } from '../options.ts';
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
        const server = await start(cli, options);
        cli.io.err(`${new Date().toISOString()} server at ${server.url}\n`);
        onReady();
        await new Promise<void>((resolve) => process.once('SIGTERM', resolve).once('SIGINT', resolve));
        await server.close();
      }),
    );
}

async function start(
  cli: Cli,
  options: { port?: number; host?: string },
): Promise<{ url: string; close(): Promise<void> }> {
  const { settings } = cli;
  const { ensureKeys } = await import('../../local/setup/keys.ts');
  const { readInstallation } = await import('../../local/setup/installation.ts');
  const { startServer } = await import('../../server/start.ts');
  const { installation, path } = await readInstallation(settings);
  const { installation: installationId, cliToken, workerToken } = await ensureKeys(settings);
  return startServer({
    settings,
    installation,
    installationPath: path,
    installationId,
    cliToken,
    workerToken,
    registry: settings.registry,
    helperImage: settings.helperImage,
    temporal: {
      address: settings.temporalAddress ?? '127.0.0.1:7233',
      namespace: settings.temporalNamespace,
    },
    dataDir: join(settings.home, 'data'),
    host: options.host ?? installation.listen.host,
    port: options.port ?? installation.listen.port,
  });
}
