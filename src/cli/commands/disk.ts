/** `davit disk`: shows what each project uses on the server's disk and in davit's registry, and build caches. */
import type { Command } from 'commander';
import { DavitError } from '../../errors.ts';
import { printJson, type Cli } from '../cli.ts';
import type { ApiClient } from '../client/api-client.ts';
import { withServer } from '../connect.ts';
import { diskText, type DiskView } from '../view/disk-view.ts';

export function diskCommand(program: Command, cli: Cli): void {
  program
    .command('disk')
    .description("show what each project uses on the server's disk and in davit's registry, and build caches")
    .option('--json', 'print the bytes as JSON')
    .addHelpText(
      'after',
      `
IMAGES are those of the project's repositories and of its pipelines, BUILD CACHE is what builds keep in the registry for later builds.
A layer counts once for each project. What bounds each kind: docs/operations.md, "Disk is full". What nothing needs is removed
four times a day, and by \`davit doctor --fix\`.

Example:
  $ davit disk`,
    )
    .action(async (options: { json?: boolean }) => {
      const { view, removable } = await withServer(cli, async (client) => {
        const found = await client.collect(true);
        return { view: await viewOf(client, found.bytes + (found.logs?.bytes ?? 0)), removable: found };
      });
      if (!options.json) return cli.io.out(diskText(view, cli.io.outColor));
      const { usage, images, workers } = view;
      const buildCaches = workers.flatMap(({ hostId, hostName, buildCache }) =>
        buildCache ? [{ hostId, hostName, ...buildCache }] : [],
      );
      const shown = typeof images === 'string' ? { imagesProblem: images } : { images };
      return printJson(cli, { ...usage, removable, ...shown, buildCaches });
    });
}

async function viewOf(client: ApiClient, removable: number): Promise<DiskView> {
  const [usage, images, workers] = await Promise.all([
    client.usage(),
    client.imageUsage().catch((error: unknown) => {
      // A registry that is away keeps nobody from seeing the rest.
      if (error instanceof DavitError) return error.message;
      throw error;
    }),
    client.workers(),
  ]);
  return { usage, images, workers, removable };
}
