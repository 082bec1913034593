/** Durable writes on one disk, and its errors as coded errors. */
import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { link, mkdir, open, readdir, rename, rm, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DavitError } from '../../errors.ts';

export const DIR_MODE = 0o700;
export const FILE_MODE = 0o600;
/** Follows no planted link and opens no existing file. */
export const CREATE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
export const READ = constants.O_RDONLY | constants.O_NOFOLLOW;
const NO_SPACE = ['ENOSPC', 'EDQUOT', 'EFBIG'];

/** The error's system code (`ENOENT`), if it has one. */
export const systemCode = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;

/**
 * A disk error as a coded error; coded errors stay. The message has the folder's purpose, never a whole path.
 */
export function diskError(error: unknown, purpose: string): DavitError {
  if (error instanceof DavitError) return error;
  const code = systemCode(error);
  if (code !== undefined && NO_SPACE.includes(code))
    return new DavitError('store/no-space', `There is no disk space left for ${purpose}.`, { cause: error });
  return new DavitError('store/failed', `The disk failed for ${purpose} (${code ?? 'unknown error'}).`, {
    cause: error,
  });
}

/** Runs disk work; every error becomes a coded error. */
export async function onDisk<T>(purpose: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw diskError(error, purpose);
  }
}

export async function makeDir(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true, mode: DIR_MODE });
  if (first !== undefined) await syncDir(dirname(first));
}

/** A name in a folder is durable only if the folder is. */
export async function syncDir(path: string): Promise<void> {
  const handle = await open(path, constants.O_RDONLY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Files without a final name. One folder, on the same file system as their destination; swept at start. */
export class Scratch {
  readonly #folder: string;
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Creates the folder and removes what a previous process left in it. */
  async sweep(): Promise<void> {
    await makeDir(this.#folder);
    for (const name of await readdir(this.#folder))
      await rm(join(this.#folder, name), { recursive: true, force: true });
  }

  /**
   * Passes an open new file to `fill`, makes it durable and passes its path to `place`; removes it if it was
   * not moved.
   */
  async write<T>(
    fill: (handle: FileHandle) => Promise<T>,
    place: (path: string, filled: T) => Promise<void>,
  ): Promise<T> {
    const path = join(this.#folder, randomUUID());
    const handle = await open(path, CREATE, FILE_MODE);
    try {
      let filled: T;
      try {
        filled = await fill(handle);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await place(path, filled);
      return filled;
    } finally {
      await rm(path, { force: true });
    }
  }

  /** Replaces a file as a whole: after a crash it has the old or the new content. */
  async replace(target: string, text: string): Promise<void> {
    await makeDir(dirname(target));
    await this.write(
      (handle) => handle.writeFile(text),
      (path) => rename(path, target),
    );
    await syncDir(dirname(target));
  }

  /**
   * Creates a file unless it exists: true for the caller that created it. It is never visible half written.
   */
  async create(target: string, text: string): Promise<boolean> {
    await makeDir(dirname(target));
    let created = true;
    await this.write(
      (handle) => handle.writeFile(text),
      async (path) => {
        created = await linkIfFree(path, target);
      },
    );
    // Also if the file existed: a caller that returns its content must return durable content.
    await syncDir(dirname(target));
    return created;
  }
}

async function linkIfFree(path: string, target: string): Promise<boolean> {
  try {
    await link(path, target);
    return true;
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false;
    throw error;
  }
}

/** Text of a file, or undefined if it does not exist. */
export async function readText(path: string): Promise<string | undefined> {
  let handle: FileHandle;
  try {
    handle = await open(path, READ);
  } catch (error) {
    if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') return undefined;
    throw error;
  }
  try {
    return await handle.readFile('utf8');
  } finally {
    await handle.close();
  }
}

/** One at a time for each key, in the order of calls; unused keys take no memory. */
export class KeyedLock {
  readonly #tails = new Map<string, Promise<void>>();

  async run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.#tails.get(key) ?? Promise.resolve();
    const mine = before.then(work);
    const tail = mine.then(
      () => undefined,
      () => undefined, // the failure is the caller's; the next in the queue only waits for the end
    );
    this.#tails.set(key, tail);
    try {
      return await mine;
    } finally {
      if (this.#tails.get(key) === tail) this.#tails.delete(key);
    }
  }
}
