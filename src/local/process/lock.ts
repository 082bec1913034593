/** One `davit up` for each home folder. */
import { link, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DavitError } from '../../errors.ts';
import { isSame, startMark } from './exec.ts';

const TRIES = 5;

/**
 * Takes the lock, and answers what gives it back. A lock whose owner is dead is taken over. Rejects with `local/already-up`
 * or `local/home`.
 */
export async function takeLock(home: string): Promise<() => Promise<void>> {
  const path = join(home, 'up.lock');
  try {
    await mkdir(home, { recursive: true, mode: 0o700 });
    for (let count = 0; count < TRIES; count += 1) {
      if (await claim(path)) return () => rm(path, { force: true });
      const owner = await lockOwner(home);
      if (owner !== undefined && owner !== process.pid)
        throw new DavitError('local/already-up', `davit runs already for ${home} (process ${owner}).`);
      await clearStale(path, await textOf(path));
    }
  } catch (cause) {
    if (cause instanceof DavitError) throw cause;
    throw new DavitError('local/home', `${home} cannot be used.`, { cause });
  }
  throw new DavitError('local/already-up', `Another davit is starting for ${home} right now.`);
}

/** Process id of the `up` that has this home folder; undefined when there is none. */
export async function lockOwner(home: string): Promise<number | undefined> {
  const [pid = '', mark] = (await textOf(join(home, 'up.lock'))).split('\n');
  return (await isSame(Number(pid), mark)) ? Number(pid) : undefined;
}

async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch {
    return ''; // no lock, or none that is written yet
  }
}

async function claim(path: string): Promise<boolean> {
  try {
    // Under its own name first: nobody may find a lock without its owner in it.
    const half = `${path}.new.${process.pid}`;
    await writeFile(half, `${process.pid}\n${(await startMark(process.pid)) ?? ''}`, { mode: 0o600 });
    try {
      await link(half, path);
    } finally {
      await rm(half, { force: true });
    }
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

/** Moves the stale lock away; if it was a new one that somebody has just taken, it is put back. */
async function clearStale(path: string, stale: string): Promise<void> {
  const aside = `${path}.${process.pid}`;
  try {
    await rename(path, aside);
    if ((await readFile(aside, 'utf8')) !== stale) await link(aside, path);
  } catch {
    // Somebody else cleared it, or has a new lock already: the next try sees it.
  }
  await rm(aside, { force: true });
}
