/** The lock that allows one `davit up` per home folder. */
import { link, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DavitError } from '../../errors.ts';
import { isSame, startMark } from './exec.ts';

const MAX_ATTEMPTS = 5;

/**
 * Takes the lock and returns its release function. Replaces the lock of a dead owner. Rejects with
 * `local/already-up` or `local/home`.
 */
export async function takeLock(home: string): Promise<() => Promise<void>> {
  const path = join(home, 'up.lock');
  try {
    await mkdir(home, { recursive: true, mode: 0o700 });
    for (let count = 0; count < MAX_ATTEMPTS; count += 1) {
      if (await claim(path)) return () => rm(path, { force: true });
      const owner = await lockOwner(home);
      if (owner !== undefined && owner !== process.pid)
        throw new DavitError('local/already-up', `davit is already running for ${home} (process ${owner}).`);
      await clearStale(path, await textOf(path));
    }
  } catch (cause) {
    if (cause instanceof DavitError) throw cause;
    throw new DavitError('local/home', `davit cannot use the folder ${home}.`, { cause });
  }
  throw new DavitError('local/already-up', `Another davit is starting for ${home} now.`);
}

/** Process id of the `up` of this home folder; undefined if there is none. */
export async function lockOwner(home: string): Promise<number | undefined> {
  const [pid = '', mark] = (await textOf(join(home, 'up.lock'))).split('\n');
  return (await isSame(Number(pid), mark)) ? Number(pid) : undefined;
}

async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch {
    return ''; // there is no lock
  }
}

async function claim(path: string): Promise<boolean> {
  try {
    // Written under another name first, so that a lock always contains its owner.
    const temporary = `${path}.new.${process.pid}`;
    await writeFile(temporary, `${process.pid}\n${(await startMark(process.pid)) ?? ''}`, { mode: 0o600 });
    try {
      await link(temporary, path);
    } finally {
      await rm(temporary, { force: true });
    }
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

/** Moves the stale lock away; puts it back if it is a new one that another process has just taken. */
async function clearStale(path: string, stale: string): Promise<void> {
  const aside = `${path}.${process.pid}`;
  try {
    await rename(path, aside);
    if ((await readFile(aside, 'utf8')) !== stale) await link(aside, path);
  } catch {
    // Another process has cleared it or taken a new lock: the next attempt sees it.
  }
  await rm(aside, { force: true });
}
