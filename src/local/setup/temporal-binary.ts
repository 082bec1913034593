/**
 * The Temporal CLI with the dev server that davit runs, in one pinned version: from PATH, else from the
 * cache, else downloaded by the SDK, else built once from its pinned Go module. Results enter the cache
 * atomically.
 */
import { chmod, mkdir, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { removeTempFolder, sweepFolders, tempFolder } from '../../adapters/temp.ts';
import type { Settings } from '../../config.ts';
import { DavitError } from '../../errors.ts';
import { outputTail, runCommand, which } from '../process/exec.ts';
import type { Change } from './changes.ts';
import { buildGoPrograms, type BuildRequest } from './go-programs.ts';
import type { Progress } from '../process/progress.ts';
import { messageOf } from '../../utils/message.ts';

/** Its database file cannot be migrated: another version uses another file. */
export const TEMPORAL_VERSION = '1.5.1';
const MODULE = 'github.com/temporalio/cli';
const DOWNLOAD_HOST = 'https://temporal.download';
const DOWNLOAD_SIZE = '50 MB, 213 MB on the disk';

/** Path of the cached binary, which may not exist. */
export const cachedTemporal = (settings: Pick<Settings, 'cache'>): string =>
  join(settings.cache, `temporal-${TEMPORAL_VERSION}`, 'temporal');

/** A binary that is already on this machine; undefined if there is none. */
export async function findTemporal(settings: Pick<Settings, 'cache' | 'path'>): Promise<string | undefined> {
  const onPath = await which(settings, 'temporal');
  if (onPath) {
    const version = await runCommand(onPath, ['--version'], { timeoutMs: 10_000 });
    if (version.stdout.startsWith(`temporal version ${TEMPORAL_VERSION} `)) return onPath;
  }
  const cached = cachedTemporal(settings);
  return (await isFile(cached)) ? cached : undefined;
}

/** What `ensureTemporal` would change. */
export async function temporalChanges(settings: Pick<Settings, 'cache' | 'path'>): Promise<Change[]> {
  if (await findTemporal(settings)) return [];
  const what = `Temporal CLI ${TEMPORAL_VERSION} from ${DOWNLOAD_HOST} into ${settings.cache}`;
  const why =
    'the workflow engine. Where it cannot be reached, Go builds it of its module: 0.5 GB to download, 2 to 4 minutes';
  return [{ act: 'download', what, size: DOWNLOAD_SIZE, why }];
}

/**
 * A binary, downloaded or built if there is none. Rejects with `local/no-temporal`, which lists what was
 * tried.
 */
export async function ensureTemporal(
  settings: Pick<Settings, 'cache' | 'path'>,
  progress: Progress,
): Promise<string> {
  const existing = await findTemporal(settings);
  if (existing) return existing;
  await mkdir(settings.cache, { recursive: true });
  await sweepFolders(settings.cache);
  const tried: string[] = [];
  for (const way of [download, build]) {
    const folder = await tempFolder('temporal', settings.cache);
    try {
      await intoCache(settings, await way(settings, { folder, progress }));
      return cachedTemporal(settings);
    } catch (error) {
      // Try the next way; the error reports all failures.
      tried.push(messageOf(error));
    } finally {
      await removeTempFolder(folder);
    }
  }
  throw new DavitError(
    'local/no-temporal',
    `Temporal CLI ${TEMPORAL_VERSION} is not available. ${tried.join(' ')}`,
  );
}

/** Downloads through the SDK into `folder`. Fails within seconds if the host cannot be reached. */
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

/** Builds it from its pinned Go module. */
async function build(settings: Pick<Settings, 'path'>, { folder, progress }: BuildRequest): Promise<string> {
  const note =
    'Temporal cannot be downloaded; building it once from its Go module (2 to 4 minutes on 2 cores).';
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

/** Stores only a binary that starts. */
async function intoCache(settings: Pick<Settings, 'cache'>, binary: string): Promise<void> {
  await chmod(binary, 0o755);
  const done = await runCommand(binary, ['--version'], { timeoutMs: 20_000 });
  if (done.code !== 0) throw new Error(`The binary does not start: ${outputTail(done)}`);
  const target = cachedTemporal(settings);
  await mkdir(join(target, '..'), { recursive: true });
  await rename(binary, target);
}

const isFile = async (path: string): Promise<boolean> => {
  try {
    return (await stat(path)).isFile();
  } catch {
    return false; // it does not exist
  }
};
