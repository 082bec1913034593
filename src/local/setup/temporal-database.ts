/**
 * The database file of the embedded Temporal. It has one writer, and there is no migration.
 *
 * Invariants:
 * DATABASE-1 Only the server version that made a file opens it; a note beside the file names the version. If
 *            the home has the file of another version, davit does not silently start with an empty one.
 * DATABASE-2 One Temporal at a time opens it. The kernel holds the lock (flock(2)) as long as that process
 *            lives: on the file itself, so that it also works for a home that is reached by two names, and on
 *            the note, because the file does not exist before the first start, and Temporal would accept an
 *            empty one as complete. Systems without flock(1) of util-linux have only the lock of the home
 *            folder.
 * DATABASE-3 Only its owner can read it: mode 0600 from the first byte.
 */
import { chmod, readdir, readFile, realpath, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Settings } from '../../config.ts';
import { DavitError } from '../../errors.ts';
import { runCommand, which } from '../process/exec.ts';
import { TEMPORAL_VERSION } from './temporal-binary.ts';

const PRIVATE = 0o600;
const NOTE_SUFFIX = '.server';
const VERSION_MS = 10_000;
const note = z.object({ server: z.string() });

/** One file per version, because there is no migration. */
export const temporalDatabase = (home: string): string => join(home, `temporal-${TEMPORAL_VERSION}.db`);

export interface GuardedStart {
  program: string;
  args: string[];
}

/**
 * The command that starts `binary ARGS` so that DATABASE-1 to DATABASE-3 hold. Rejects with
 * `local/database-version` and `local/database-in-use` before anything is opened.
 */
export async function guardedStart(
  settings: Pick<Settings, 'home' | 'path'>,
  binary: string,
  args: readonly string[],
): Promise<GuardedStart> {
  const database = temporalDatabase(settings.home);
  const exists = await isThere(database);
  if (!exists) await refuseOthers(settings.home);
  // Two names of the same home lead to the same note.
  const noteFile = `${join(await realpath(settings.home), `temporal-${TEMPORAL_VERSION}.db`)}${NOTE_SUFFIX}`;
  await checkNote(noteFile, await serverVersion(binary));
  if (exists) await closeToOthers(database);
  const locks = await locksOf(settings, exists ? [noteFile, database] : [noteFile]);
  return { program: '/bin/sh', args: ['-c', 'umask 077; exec "$@"', 'sh', ...locks, binary, ...args] };
}

/** The file of another version has pipelines that this one does not know: a person must decide about them. */
async function refuseOthers(home: string): Promise<void> {
  const others = (await readdir(home)).filter((name) => /^temporal-.+\.db$/.test(name));
  const [other] = others;
  if (other === undefined) return;
  throw new DavitError(
    'local/database-version',
    `${join(home, other)} was made by another Temporal version; this davit uses ${TEMPORAL_VERSION}, and there is no migration.`,
  );
}

async function checkNote(path: string, server: string): Promise<void> {
  try {
    await writeFile(path, `${JSON.stringify({ server })}\n`, { flag: 'wx', mode: PRIVATE });
    return;
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  }
  const made = await madeBy(path);
  if (made === server) return;
  // A crash during the write leaves an unreadable note: write it again.
  if (made === undefined) return writeFile(path, `${JSON.stringify({ server })}\n`, { mode: PRIVATE });
  throw new DavitError(
    'local/database-version',
    `${path.slice(0, -NOTE_SUFFIX.length)} belongs to Temporal server ${made}, this one is ${server}, and there is no migration.`,
  );
}

async function madeBy(path: string): Promise<string | undefined> {
  try {
    return note.parse(JSON.parse(await readFile(path, 'utf8'))).server;
  } catch {
    return undefined; // incomplete: the caller handles it
  }
}

/** `temporal version 1.5.1 (Server 1.29.1, UI 2.42.1)`. */
async function serverVersion(binary: string): Promise<string> {
  const { stdout } = await runCommand(binary, ['--version'], { timeoutMs: VERSION_MS });
  const found = /\(Server ([^,)]+)/.exec(stdout)?.[1];
  if (found !== undefined) return found;
  throw new DavitError(
    'local/no-temporal',
    `The output of ${binary} --version does not contain the version of its Temporal server.`,
  );
}

/** Command words that take the locks and then exec the next program; tried first, for a clear error. */
async function locksOf(settings: Pick<Settings, 'path'>, files: readonly string[]): Promise<string[]> {
  const flock = await which(settings, 'flock');
  if (flock === undefined) return [];
  const { stdout } = await runCommand(flock, ['--version'], { timeoutMs: VERSION_MS });
  if (!stdout.includes('util-linux')) return [];
  for (const file of files) {
    const tried = await runCommand(flock, ['--nonblock', '--conflict-exit-code', '75', file, 'true']);
    if (tried.code === 75)
      throw new DavitError(
        'local/database-in-use',
        `Another Temporal server has ${file.replace(NOTE_SUFFIX, '')} open.`,
      );
  }
  return files.flatMap((file) => [flock, '--nonblock', '--no-fork', file]);
}

async function closeToOthers(database: string): Promise<void> {
  for (const path of [database, `${database}-wal`, `${database}-shm`])
    if (await isThere(path)) await chmod(path, PRIVATE);
}

const isThere = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false, // it does not exist: the first start creates it
  );
