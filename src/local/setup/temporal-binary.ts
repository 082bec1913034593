/**
 * The Temporal CLI that carries davit's dev server, of one pinned version: PATH, else the cache, else the SDK's own download,
 * else built once from its pinned Go module. Whatever is fetched or built goes into the cache whole or not at all.
 */
import { chmod, mkdir, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { removeTempFolder, sweepFolders, tempFolder } from '../../adapters/temp.ts';
import type { Settings } from '../../config.ts';
import { DavitError } from '../../errors.ts';
import { lastWords, runCommand, which } from '../process/exec.ts';
import { buildGoPrograms, type BuildRequest } from './go-programs.ts';
import type { Progress } from '../process/progress.ts';
import { messageOf } from '../../utils/message.ts';

/** Its database file has no migration: another version gets another file. */
export const TEMPORAL_VERSION = '1.5.1';
const MODULE = 'github.com/temporalio/cli';
const DOWNLOAD_HOST = 'https://temporal.download';

/** Path of the cached binary, there or not. */
export const cachedTemporal = (settings: Pick<Settings, 'cache'>): string =>
  join(settings.cache, `temporal-${TEMPORAL_VERSION}`, 'temporal');

/** A binary that is on this machine already; undefined when there is none. */
export async function findTemporal(settings: Pick<Settings, 'cache' | 'path'>): Promise<string | undefined> {
  const onPath = await which(settings, 'temporal');
  if (onPath) {
    const said = await runCommand(onPath, ['--version'], { timeoutMs: 10_000 });
    if (said.stdout.startsWith(`temporal version ${TEMPORAL_VERSION} `)) return onPath;
  }
  const cached = cachedTemporal(settings);
  return (await isFile(cached)) ? cached : undefined;
}

/** A binary, fetched or built when there is none. Rejects with `local/no-temporal`, saying what was tried. */
export async function ensureTemporal(
  settings: Pick<Settings, 'cache' | 'path'>,
  progress: Progress,
): Promise<string> {
  const there = await findTemporal(settings);
  if (there) return there;
  await mkdir(settings.cache, { recursive: true });
  await sweepFolders(settings.cache);
  const tried: string[] = [];
  for (const way of [download, build]) {
    const folder = await tempFolder('temporal', settings.cache);
    try {
      await intoCache(settings, await way(settings, { folder, progress }));
      return cachedTemporal(settings);
    } catch (error) {
      // The next way is tried; the last one's failure is told together with this.
      tried.push(messageOf(error));
    } finally {
      await removeTempFolder(folder);
    }
  }
  throw new DavitError(
    'local/no-temporal',
    `There is no Temporal CLI ${TEMPORAL_VERSION}. ${tried.join(' ')}`,
  );
}

/** The SDK's download, into a folder of ours. A machine without that host is told so within seconds. */
async function download(_settings: unknown, { folder, progress }: BuildRequest): Promise<string> {
  try {
    const probe = await fetch(`${DOWNLOAD_HOST}/`, { method: 'HEAD', signal: AbortSignal.timeout(4_000) });
    await probe.body?.cancel();
  } catch (cause) {
    throw new Error(`Not downloaded: ${DOWNLOAD_HOST} cannot be reached.`, { cause });
  }
  return progress.step(`Temporal CLI ${TEMPORAL_VERSION}: download`, async () => {
    const { TestWorkflowEnvironment } = await import('@temporalio/testing');
    const executable = {
      type: 'cached-download',
      version: `v${TEMPORAL_VERSION}`,
      downloadDir: folder,
    } as const;
    const environment = await TestWorkflowEnvironment.createLocal({ server: { executable } });
    await environment.teardown();
    return join(folder, `temporal-v${TEMPORAL_VERSION}`);
  });
}

/** From its pinned Go module. */
async function build(settings: Pick<Settings, 'path'>, { folder, progress }: BuildRequest): Promise<string> {
  const note =
    'Temporal cannot be downloaded here: it is built once from its Go module; on 2 cores 2 to 4 minutes.';
  const program = {
    path: `${MODULE}/cmd/temporal`,
    file: 'temporal',
    values: { [`${MODULE}/temporalcli.Version`]: TEMPORAL_VERSION },
  };
  const title = `Temporal CLI ${TEMPORAL_VERSION}`;
  await buildGoPrograms(
    settings,
    { title, version: TEMPORAL_VERSION, note, programs: [program] },
    { folder, progress },
  );
  return join(folder, program.file);
}

/** Only a binary that starts gets the name. */
async function intoCache(settings: Pick<Settings, 'cache'>, binary: string): Promise<void> {
  await chmod(binary, 0o755);
  const said = await runCommand(binary, ['--version'], { timeoutMs: 20_000 });
  if (said.code !== 0) throw new Error(`The binary does not start: ${lastWords(said)}`);
  const target = cachedTemporal(settings);
  await mkdir(join(target, '..'), { recursive: true });
  await rename(binary, target);
}

const isFile = async (path: string): Promise<boolean> => {
  try {
    return (await stat(path)).isFile();
  } catch {
    return false; // not there, which is the answer
  }
};
