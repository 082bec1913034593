/**
 * The embedded Temporal's database file. It has no migration, and it has one writer.
 *
 * Invariants:
 *  B1 A file is opened by the server version that made it, and by no other: a note beside it says which. A home that holds the
 *     file of another version is not silently begun anew.
 *  B2 One Temporal at a time opens it. The kernel keeps the lock (flock(2)) for as long as that process lives, on the file
 *     itself, so that it also holds for a home that is reached by two names; beside it on the note, because before the first
 *     start there is no file yet, and Temporal takes an empty one for a finished one. Systems without flock(1) of util-linux
 *     have the lock of the home folder alone.
 *  B3 Only its owner reads it: mode 0600, from its first byte on.
 */
import { chmod, readdir, readFile, realpath, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Settings } from '../../config.ts';
import { DavitError } from '../../errors.ts';
import { runCommand, which } from '../process/exec.ts';
import { TEMPORAL_VERSION } from './temporal-binary.ts';

const PRIVATE = 0o600;
const NOTE_END = '.server';
const VERSION_MS = 10_000;
const note = z.object({ server: z.string() });

/** One version a database file: it has no migration. */
export const temporalDatabase = (home: string): string => join(home, `temporal-${TEMPORAL_VERSION}.db`);

export interface GuardedStart {
  program: string;
  args: string[];
}

/**
 * How to start `binary ARGS` so that B1 to B3 hold. Rejects with `local/database-version` and `local/database-in-use`, each before
 * anything was opened.
 */
export async function guardedStart(
  settings: Pick<Settings, 'home' | 'path'>,
  binary: string,
  args: readonly string[],
): Promise<GuardedStart> {
  const database = temporalDatabase(settings.home);
  const exists = await isThere(database);
  if (!exists) await refuseOthers(settings.home);
  // Two homes that are links to one have one note.
  const noteFile = `${join(await realpath(settings.home), `temporal-${TEMPORAL_VERSION}.db`)}${NOTE_END}`;
  await checkNote(noteFile, await serverVersion(binary));
  if (exists) await closeToOthers(database);
  const locks = await locksOf(settings, exists ? [noteFile, database] : [noteFile]);
  return { program: '/bin/sh', args: ['-c', 'umask 077; exec "$@"', 'sh', ...locks, binary, ...args] };
}

/** Another version's file holds pipelines that this one does not know: a person decides what becomes of them. */
async function refuseOthers(home: string): Promise<void> {
  const others = (await readdir(home)).filter((name) => /^temporal-.+\.db$/.test(name));
  const [other] = others;
  if (other === undefined) return;
  throw new DavitError(
    'local/database-version',
    `${join(home, other)} was made by another Temporal; this davit brings ${TEMPORAL_VERSION}, and the file has no migration.`,
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
  // A crash while the note was written leaves none, and a note that nobody can read says nothing.
  if (made === undefined) return writeFile(path, `${JSON.stringify({ server })}\n`, { mode: PRIVATE });
  throw new DavitError(
    'local/database-version',
    `${path.slice(0, -NOTE_END.length)} belongs to Temporal server ${made}; the one here is ${server}, and the file has no migration.`,
  );
}

async function madeBy(path: string): Promise<string | undefined> {
  try {
    return note.parse(JSON.parse(await readFile(path, 'utf8'))).server;
  } catch {
    return undefined; // half written: said by the caller
  }
}

/** `temporal version 1.5.1 (Server 1.29.1, UI 2.42.1)`. */
async function serverVersion(binary: string): Promise<string> {
  const { stdout } = await runCommand(binary, ['--version'], { timeoutMs: VERSION_MS });
  const found = /\(Server ([^,)]+)/.exec(stdout)?.[1];
  if (found !== undefined) return found;
  throw new DavitError('local/no-temporal', `${binary} does not say which Temporal server it carries.`);
}

/** The words that take the locks and become the next program; tried first, so that a person hears why. */
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
        `A Temporal server has ${file.replace(NOTE_END, '')} open already.`,
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
    () => false, // not there: the first start makes it
  );
