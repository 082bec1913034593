/** The secrets of an installation on this machine: made once, readable by its owner alone. */
import { randomBytes, randomUUID } from 'node:crypto';
import { chmod, link, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Settings } from '../../config.ts';
import { DavitError } from '../../errors.ts';

export interface Keys {
  /** UUID: part of names and labels on engines. No secret. */
  installation: string;
  cliToken: string;
  workerToken: string;
}
const PRIVATE_FOLDER = 0o700;
const PRIVATE_FILE = 0o600;

/**
 * Makes what is missing of `HOME/keys` (0700, files 0600): installation-id, installation-key, worker-token, cli-token. Two
 * processes may do it at once: the first writer of a file wins. Rejects with `local/home`.
 */
export async function ensureKeys(settings: Settings): Promise<Keys> {
  const folder = join(settings.home, 'keys');
  try {
    await mkdir(folder, { recursive: true, mode: PRIVATE_FOLDER });
    await chmod(folder, PRIVATE_FOLDER);
    const installation = await ensureFile(join(folder, 'installation-id'), randomUUID);
    await secret(settings.keyFile, folder);
    const workerToken = await secret(settings.workerTokenFile, folder);
    return { installation, workerToken, cliToken: await secret(settings.tokenFile, folder) };
  } catch (cause) {
    if (cause instanceof DavitError) throw cause;
    throw new DavitError('local/home', `The keys of this installation cannot be kept in ${folder}.`, {
      cause,
    });
  }
}

/** A file of ours is made where it is missing; one that the operator named has to be there. */
async function secret(path: string, folder: string): Promise<string> {
  if (dirname(path) === folder) return ensureFile(path, () => randomBytes(32).toString('hex'));
  const there = await readIfThere(path);
  if (there) return there;
  throw new DavitError('local/home', `${path} is missing or empty.`, {
    hint: 'Put the token there, mode 0600.',
  });
}

/** The content of a file that is written whole or not at all: a temporary file gets the name only if nobody has it. */
async function ensureFile(path: string, make: () => string): Promise<string> {
  const there = await readIfThere(path);
  if (there) {
    await closeToOthers(path);
    return there;
  }
  const half = `${path}.${process.pid}.${randomBytes(4).toString('hex')}`;
  await writeFile(half, `${make()}\n`, { mode: PRIVATE_FILE, flag: 'wx' });
  try {
    await link(half, path);
  } catch (error) {
    // Another process was first: its value is the one.
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  } finally {
    await rm(half, { force: true });
  }
  const value = await readIfThere(path);
  if (!value)
    throw new DavitError('local/home', `${path} is empty.`, { hint: 'Remove it; davit makes a new one.' });
  return value;
}

/** A file that somebody opened to others is closed again: it holds a secret. */
async function closeToOthers(path: string): Promise<void> {
  if (((await stat(path)).mode & 0o077) !== 0) await chmod(path, PRIVATE_FILE);
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return (await readFile(path, 'utf8')).trim();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
