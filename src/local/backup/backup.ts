/**
 * `davit backup`: davit's home as one archive, while davit runs or not.
 *
 *  BACKUP-1 The database of Temporal is copied first, as of one moment, and everything else after it: a pipeline that it
 *           knows finds every blob that it names.
 *  BACKUP-2 The archive has its final name only when it is whole and on the disk. Only its owner can read it.
 *  BACKUP-3 Blobs and layers are checked against the digests that are their names; the others get one in the manifest.
 */
import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { chmod, mkdir, open, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { constants, createGzip } from 'node:zlib';
import { pack, type Pack } from 'tar-stream';
import { removeTempFolder, tempFolder } from '../../adapters/temp.ts';
import type { Settings } from '../../config.ts';
import { DavitError } from '../../errors.ts';
import { messageOf } from '../../utils/message.ts';
import { put } from '../../utils/tar.ts';
import { VERSION } from '../../version.ts';
import { contentsOf, installationOf, promisedDigest } from './contents.ts';
import { copyDatabase } from './database.ts';
import { epochOf } from './epoch.ts';
import { FORMAT, MANIFEST, type BackupEntry, type BackupManifest } from './manifest.ts';

const PRIVATE_FILE = 0o600;

export interface BackupRequest {
  /** The archive; in a folder it gets a name. */
  to: string;
  images: boolean;
  now: number;
}
export interface BackupResult {
  file: string;
  bytes: number;
  manifest: BackupManifest;
  /** Blobs and layers whose content is not what their names say. */
  damaged: string[];
}

/** Rejects with `local/home`, `backup/failed`. */
export async function backup(settings: Settings, request: BackupRequest): Promise<BackupResult> {
  const { home } = settings;
  const installation = await installationOf(home);
  if (installation === undefined)
    throw new DavitError('local/home', `No davit was set up in ${home}.`, {
      hint: 'Set DAVIT_HOME to its folder.',
    });
  const file = await nameOf(request);
  if (`${file}/`.startsWith(`${resolve(home)}/`))
    throw new DavitError('usage/invalid', `${file} is inside of ${home}, which is what is saved.`);
  try {
    const { manifest, damaged } = await write(settings, file, { ...request, installation });
    return { file, bytes: (await stat(file)).size, manifest, damaged };
  } catch (cause) {
    if (cause instanceof DavitError) throw cause;
    throw new DavitError('backup/failed', `The backup ${file} could not be made: ${messageOf(cause)}`, {
      cause,
    });
  }
}

async function nameOf({ to, now }: BackupRequest): Promise<string> {
  const path = resolve(to);
  const isFolder = await stat(path).then(
    (found) => found.isDirectory(),
    () => false, // it does not exist: a file
  );
  const time = new Date(now)
    .toISOString()
    .replace(/\.\d+Z$/, 'Z')
    .replaceAll(':', '');
  return isFolder ? join(path, `davit-${time}.tgz`) : path;
}

async function write(
  settings: Settings,
  file: string,
  { images, now, installation }: BackupRequest & { installation: string },
): Promise<{ manifest: BackupManifest; damaged: string[] }> {
  const { home } = settings;
  const partial = join(dirname(file), `.${basename(file)}.${process.pid}.partial`);
  const scratch = await tempFolder('backup');
  const tar = pack();
  try {
    await mkdir(dirname(file), { recursive: true });
    // BACKUP-1
    const copied = await copyDatabase(home, scratch);
    const { files, database } = await contentsOf(home, { images });
    const out = createWriteStream(partial, { flags: 'wx', mode: PRIVATE_FILE, flush: true });
    const written = pipeline(
      Readable.from(tar, { objectMode: false }),
      createGzip({ level: constants.Z_BEST_SPEED }),
      out,
    );
    const filled = fill(tar, {
      entries: [
        ...(copied !== undefined && database !== undefined ? [{ name: database, from: copied }] : []),
        ...files.map((name) => ({ name, from: join(home, name) })),
      ],
      manifest: {
        format: FORMAT,
        davit: VERSION,
        installation,
        createdAt: now,
        ...(database !== undefined && { database }),
        images,
        epoch: await epochOf(home),
        files: {},
      },
    });
    const [result] = await Promise.all([filled, written]);
    await chmod(partial, PRIVATE_FILE);
    await rename(partial, file);
    await syncFolder(dirname(file));
    return result;
  } finally {
    tar.destroy();
    await rm(partial, { force: true });
    await removeTempFolder(scratch);
  }
}

async function fill(
  tar: Pack,
  { entries, manifest }: { entries: readonly { name: string; from: string }[]; manifest: BackupManifest },
): Promise<{ manifest: BackupManifest; damaged: string[] }> {
  const damaged: string[] = [];
  try {
    for (const { name, from } of entries) {
      const added = await add(tar, name, from);
      if (!added) continue; // replaced or collected since the folder was read: nothing names it
      manifest.files[name] = added;
      const promised = promisedDigest(name);
      if (promised !== undefined && promised !== added.sha256) damaged.push(name);
    }
    await put(tar, { name: MANIFEST, mode: PRIVATE_FILE }, JSON.stringify(manifest));
    tar.finalize();
    return { manifest, damaged };
  } catch (error) {
    tar.destroy(error instanceof Error ? error : new Error('the backup failed'));
    throw error;
  }
}

/** A file that grows is saved with the size that it had; undefined if it is gone. */
async function add(tar: Pack, name: string, from: string): Promise<BackupEntry | undefined> {
  let handle: FileHandle;
  try {
    handle = await open(from, 'r');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const { size, mode, mtime } = await handle.stat();
    const hash = createHash('sha256');
    const header = { name, size, mode: mode & 0o777, mtime, type: 'file' } as const;
    if (size === 0) await put(tar, header);
    else
      await pipeline(
        handle.createReadStream({ start: 0, end: size - 1, autoClose: false }),
        hashing(hash),
        tar.entry(header),
      );
    return { size, sha256: hash.digest('hex') };
  } finally {
    await handle.close();
  }
}

type Hash = Pick<ReturnType<typeof createHash>, 'update'>;
/** Passes bytes on, and counts them into the hash. */
export const hashing = (hash: Hash) =>
  async function* (source: AsyncIterable<unknown>): AsyncGenerator<Uint8Array> {
    for await (const bytes of source) {
      if (!(bytes instanceof Uint8Array)) throw new TypeError('a stream of bytes was expected');
      hash.update(bytes);
      yield bytes;
    }
  };

/** A name is durable only if its folder is. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
