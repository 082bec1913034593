/**
 * `davit restore`: makes davit's home of an archive of `davit backup`.
 *
 *  RESTORE-1 The home appears whole and checked, or not at all: everything is unpacked beside it first.
 *  RESTORE-2 An archive is not believed: it writes nothing but files below the new home, and each is compared with the
 *            manifest, and with the digest that is its name.
 *  RESTORE-3 A new epoch begins: see epoch.ts.
 */
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { chmod, mkdir, rename, rm, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { extract } from 'tar-stream';
import { takeFolder } from '../../adapters/disk/owner.ts';
import type { Settings } from '../../config.ts';
import { DavitError } from '../../errors.ts';
import { messageOf } from '../../utils/message.ts';
import { namesIn } from '../../adapters/names-in.ts';
import { lockOwner } from '../process/lock.ts';
import { temporalDatabase } from '../setup/temporal-database.ts';
import { hashing } from './backup.ts';
import { promisedDigest } from './contents.ts';
import { beginEpoch, epochOf } from './epoch.ts';
import { MANIFEST, manifestSchema, type BackupEntry, type BackupManifest } from './manifest.ts';

const PRIVATE_FOLDER = 0o700;
const PRIVATE_FILE = 0o600;
/** A path of parts that are no way out of the folder. */
const NAME = /^(?!\/)(?:(?!\.\.?(?:\/|$))[^/\0]+(?:\/|$))+$/;

export interface RestoreRequest {
  from: string;
  now: number;
  /** The highest number of a pipeline that anybody knows. */
  after?: number;
}
export interface RestoreResult {
  manifest: BackupManifest;
  epoch: number;
  /** The next number of each counter, by its name. */
  counters: Record<string, number>;
}

/** Rejects with `local/already-up`, `local/home`, `local/database-version`, `backup/invalid`, `backup/failed`. */
export async function restore(settings: Settings, request: RestoreRequest): Promise<RestoreResult> {
  const { home } = settings;
  await assertFree(home);
  const beside = `${home}.${randomBytes(4).toString('hex')}.restore`;
  try {
    await mkdir(dirname(home), { recursive: true, mode: PRIVATE_FOLDER });
    await mkdir(beside, { mode: PRIVATE_FOLDER });
    const { manifest, found } = await unpack(request.from, beside);
    verify(request.from, manifest, found);
    assertVersion(home, manifest);
    const began = await beginEpoch(beside, {
      epoch: manifest.epoch,
      backupAt: manifest.createdAt,
      now: request.now,
      ...(request.after !== undefined && { after: request.after }),
    });
    await rmdir(home).catch((error: unknown) => {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
    });
    await rename(beside, home);
    return { manifest, ...began };
  } catch (cause) {
    if (cause instanceof DavitError) throw cause;
    throw new DavitError('backup/failed', `${request.from} could not be restored: ${messageOf(cause)}`, {
      cause,
    });
  } finally {
    await rm(beside, { recursive: true, force: true });
  }
}

/**
 * Begins a new epoch in a home that was unpacked by other means, as docker-compose.yml's is. Rejects with
 * `local/already-up`, `store/in-use`, `local/home`.
 */
export async function adopt(
  { home }: Pick<Settings, 'home'>,
  request: { backupAt: number; now: number; after?: number },
): Promise<Omit<RestoreResult, 'manifest'>> {
  await assertDown(home);
  const data = join(home, 'data');
  if ((await namesIn(data)).length === 0)
    throw new DavitError('local/home', `${data} has no data of a server.`, {
      hint: 'Unpack the backup there first.',
    });
  const leave = await takeFolder(data);
  try {
    return await beginEpoch(home, { ...request, epoch: await epochOf(home) });
  } finally {
    await leave();
  }
}

async function assertFree(home: string): Promise<void> {
  await assertDown(home);
  if ((await namesIn(home)).length > 0)
    throw new DavitError('local/home', `${home} is not empty, and a restore overwrites nothing.`, {
      hint: 'Move it away, or set DAVIT_HOME to another folder.',
    });
}

async function assertDown(home: string): Promise<void> {
  if ((await lockOwner(home)) !== undefined)
    throw new DavitError('local/already-up', `davit is running for ${home}.`, {
      hint: 'Stop it with `davit down`, and move its folder away.',
    });
}

type Found = ReadonlyMap<string, BackupEntry>;

async function unpack(from: string, folder: string): Promise<{ manifest: BackupManifest; found: Found }> {
  const found = new Map<string, BackupEntry>();
  let manifest: unknown;
  const reader = extract();
  const visited = (async () => {
    for await (const entry of reader) {
      const { name, type, mode } = entry.header;
      if (type !== 'file' || !NAME.test(name)) throw invalid(from, `it has the entry "${name}" (${type})`);
      if (name === MANIFEST) {
        manifest = JSON.parse(await text(entry));
        continue;
      }
      if (manifest !== undefined || found.has(name)) throw invalid(from, `"${name}" is there a second time`);
      const path = join(folder, name);
      await mkdir(dirname(path), { recursive: true, mode: PRIVATE_FOLDER });
      const hash = createHash('sha256');
      await pipeline(
        hashing(hash)(entry),
        createWriteStream(path, { flags: 'wx', mode: PRIVATE_FILE, flush: true }),
      );
      if (!name.startsWith('keys/')) await chmod(path, (mode ?? PRIVATE_FILE) & 0o777);
      found.set(name, { size: entry.header.size ?? 0, sha256: hash.digest('hex') });
    }
  })();
  try {
    await Promise.all([pipeline(createReadStream(from), createGunzip(), reader), visited]);
  } catch (cause) {
    if (cause instanceof DavitError || isOfDisk(cause)) throw cause;
    throw invalid(from, messageOf(cause), cause);
  }
  const parsed = manifestSchema.safeParse(manifest);
  if (!parsed.success)
    throw invalid(from, manifest === undefined ? 'its end is missing' : 'it was made by another version');
  return { manifest: parsed.data, found };
}

/** The archive is not there, or the disk of the home is full: not a property of the archive. */
const isOfDisk = (cause: unknown): boolean =>
  cause instanceof Error &&
  'code' in cause &&
  /^(?:ENOENT|EACCES|EPERM|EISDIR|ENOSPC|EDQUOT|EROFS|EIO)$/.test(String(cause.code));

function verify(from: string, manifest: BackupManifest, found: Found): void {
  for (const [name, wanted] of Object.entries(manifest.files)) {
    const there = found.get(name);
    if (!there) throw invalid(from, `${name} is missing`);
    if (there.sha256 !== wanted.sha256 || there.size !== wanted.size)
      throw invalid(from, `${name} is not what was saved`);
  }
  for (const name of found.keys())
    if (!Object.hasOwn(manifest.files, name)) throw invalid(from, `it has ${name}, which was not saved`);
}

/** Blobs and layers that were damaged already when they were saved. Pure. */
export const damagedIn = (manifest: BackupManifest): string[] =>
  Object.entries(manifest.files)
    .filter(([name, { sha256 }]) => (promisedDigest(name) ?? sha256) !== sha256)
    .map(([name]) => name);

function assertVersion(home: string, { database, davit }: BackupManifest): void {
  const own = temporalDatabase(home).slice(home.length + 1);
  if (database === undefined || database === own) return;
  throw new DavitError(
    'local/database-version',
    `The backup has ${database}, this davit uses ${own}, and there is no migration.`,
    { hint: `Restore it with davit ${davit}, which made it.` },
  );
}

const invalid = (from: string, why: string, cause?: unknown): DavitError =>
  new DavitError('backup/invalid', `${from} is not a whole backup of davit: ${why}.`, { cause });
