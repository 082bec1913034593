/** The secrets of an installation on this machine: created once, readable only by their owner. */
import { randomBytes, randomUUID, X509Certificate } from 'node:crypto';
import { chmod, link, mkdir, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Settings } from '../../config.ts';
import { DavitError } from '../../errors.ts';
import { readIfThere } from '../process/files.ts';

export interface Keys {
  /** UUID: part of names and labels on engines. Not a secret. */
  installation: string;
  cliToken: string;
  /** That workers of earlier versions share: only where it exists already. */
  workerToken?: string;
  controlToken: string;
  /** PEM of a key and its certificate: of the tokens for davit's own registry. */
  registryKey: string;
}
const PRIVATE_FOLDER = 0o700;
const PRIVATE_FILE = 0o600;

/**
 * Creates missing files of `HOME/keys` (0700, files 0600): installation-id, installation-key, control-token,
 * cli-token, registry-key.pem. Processes may do this at the same time: the first writer of a file wins. Rejects with
 * `local/home`.
 */
export async function ensureKeys(settings: Settings): Promise<Keys> {
  const folder = join(settings.home, 'keys');
  try {
    await mkdir(folder, { recursive: true, mode: PRIVATE_FOLDER });
    await chmod(folder, PRIVATE_FOLDER);
    const installation = await ensureFile(join(folder, 'installation-id'), randomUUID);
    await secret(settings.keyFile, folder);
    const controlToken = await secret(settings.controlTokenFile ?? join(folder, 'control-token'), folder);
    const registryKey = await secret(settings.registryKeyFile, folder, registryPair);
    const cliToken = await secret(settings.tokenFile, folder);
    const workerToken = await readTrimmed(settings.workerTokenFile);
    // A file that the operator has configured may be one that only he can change.
    if (workerToken && dirname(settings.workerTokenFile) === folder)
      await closeToOthers(settings.workerTokenFile);
    return { installation, controlToken, cliToken, registryKey, ...(workerToken && { workerToken }) };
  } catch (cause) {
    if (cause instanceof DavitError) throw cause;
    throw new DavitError('local/home', `Cannot store the keys of this installation in ${folder}.`, {
      cause,
    });
  }
}

/** Creates davit's own file if it is missing; a file that the operator configured must exist. */
async function secret(path: string, folder: string, make: Make = randomKey): Promise<string> {
  if (dirname(path) === folder) return ensureFile(path, make);
  const existing = await readTrimmed(path);
  if (existing) return existing;
  throw new DavitError('local/home', `${path} is missing or empty.`, {
    hint: 'Write the token to this file, mode 0600.',
  });
}

type Make = () => string | Promise<string>;
const randomKey = (): string => randomBytes(32).toString('hex');

/** In one file, so that they are always those of each other. */
async function registryPair(): Promise<string> {
  const { makeSelfSigned } = await import('../authority/certificates.ts');
  const { key, certificate } = await makeSelfSigned('davit registry');
  return `${key}${certificate}`;
}

/** The certificate of such a file, which the registry is given. */
export const certificateOf = (registryKey: string): string => new X509Certificate(registryKey).toString();

/**
 * Content of a file that is created atomically: a temporary file is linked to the name unless the name
 * exists.
 */
async function ensureFile(path: string, make: Make): Promise<string> {
  const existing = await readTrimmed(path);
  if (existing) {
    await closeToOthers(path);
    return existing;
  }
  const temporary = `${path}.${process.pid}.${randomBytes(4).toString('hex')}`;
  await writeFile(temporary, `${await make()}\n`, { mode: PRIVATE_FILE, flag: 'wx' });
  try {
    await link(temporary, path);
  } catch (error) {
    // Another process was first: use its value.
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  } finally {
    await rm(temporary, { force: true });
  }
  const value = await readTrimmed(path);
  if (!value)
    throw new DavitError('local/home', `${path} is empty.`, { hint: 'Remove it; davit creates a new one.' });
  return value;
}

/** Restores the mode of a file with a secret. */
async function closeToOthers(path: string): Promise<void> {
  if (((await stat(path)).mode & 0o077) !== 0) await chmod(path, PRIVATE_FILE);
}

const readTrimmed = async (path: string): Promise<string | undefined> => (await readIfThere(path))?.trim();
