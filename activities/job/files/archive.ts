/** A tar.gz of a container's files on its way into the blob store; started by its first entry. */
import { posix } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { type Header, type Pack, pack } from 'tar-stream';
import type { BlobStore } from '../../../src/adapters/ports.ts';
import { DavitError } from '../../../src/errors.ts';
import type { Digest } from '../../../src/plan/model/ids.ts';
import type { ArtifactRef } from '../../../src/plan/model/outcome.ts';
import { put } from '../../../src/utils/tar.ts';
import { type ArchiveLimits, denseError, guard, isTooDense } from '../../runtime/archive-limits.ts';
import { bytesOf, putFile } from '../../runtime/tar.ts';
import { withParents } from './artifact-globs.ts';

export interface ArchiveOptions {
  blobs: BlobStore;
  maxBytes: number;
  limits: ArchiveLimits;
  /** Epoch ms by the server's clock. */
  now(): number;
  /** What messages call the files; default: artifacts. */
  what?: string;
}

/** As GitLab's: permissions without set-user-id and the like. */
const PERMISSIONS = 0o777;
/** The largest number of a plain tar header. */
const MAX_ID = 0o7777777;
const idOf = (id: number | undefined): number => (id !== undefined && id <= MAX_ID ? id : 0);

export class Archive {
  readonly #options: ArchiveOptions;
  #pack: Pack | undefined;
  #stored: Promise<{ digest: Digest; bytes: number }> | undefined;
  #refused: Promise<never> | undefined;
  readonly #directories = new Set<string>();
  #bytes = 0;
  #files = 0;

  constructor(options: ArchiveOptions) {
    this.#options = options;
  }

  /** Rejects with the store's error as soon as the store fails, so that a writer does not wait forever. */
  async add(path: string, header: Header, content: AsyncIterable<unknown>): Promise<void> {
    this.#begin();
    await Promise.race([this.#write(path, header, content), this.#refused]);
  }

  async #write(path: string, header: Header, content: AsyncIterable<unknown>): Promise<void> {
    const archive = this.#begin();
    for (const parent of withParents(posix.dirname(path)).reverse()) await this.#directory(parent);
    const { mtime } = header;
    const owner = { uid: idOf(header.uid), gid: idOf(header.gid) };
    if (header.type === 'directory')
      return this.#directory(path, { ...owner, mode: header.mode & PERMISSIONS, mtime });
    if (header.type === 'symlink') {
      this.#files += 1;
      this.checkEntries();
      const { linkname } = header;
      return put(archive, { ...owner, name: path, type: 'symlink', linkname, mode: 0o777, mtime });
    }
    if (header.type !== 'file') return; // ignores devices and pipes
    this.#bytes += header.size;
    this.#files += 1;
    this.checkEntries();
    const { maxBytes, what = 'artifacts' } = this.#options;
    if (this.#bytes > maxBytes)
      throw new DavitError('job/artifacts', `${what}: larger than the limit of ${maxBytes} bytes.`);
    const mode = header.mode & PERMISSIONS;
    await putFile(archive, { ...owner, name: path, type: 'file', mode, size: header.size, mtime }, content);
  }

  /** Without a header it is only there because of what it contains, and everybody may write to it. */
  async #directory(path: string, header?: Partial<Header>): Promise<void> {
    if (path === '.' || (this.#directories.has(path) && !header)) return;
    this.#directories.add(path);
    this.checkEntries();
    const open = { mode: 0o777, mtime: new Date(0) };
    await put(this.#begin(), { ...open, ...header, name: `${path}/`, type: 'directory' });
  }

  /** Each entry costs memory here and wherever it is unpacked, even if it is empty. `more`: those still to come. */
  checkEntries(more = 0): void {
    const { what = 'artifacts', limits } = this.#options;
    if (this.#files + this.#directories.size + more <= limits.entries) return;
    throw new DavitError('archive/limit', `${what}: more than ${limits.entries} files and directories.`);
  }

  #begin(): Pack {
    if (this.#pack) return this.#pack;
    this.#pack = pack();
    const zip = createGzip();
    const { what = 'artifacts', limits, blobs } = this.#options;
    const zipped = guard(
      (packed) => isTooDense(zip.bytesWritten, packed, limits.ratio),
      () => denseError(`${what}: the archive`, limits.ratio),
    );
    // A failure destroys `zipped` too, and the store rejects with it.
    pipeline(bytesOf(this.#pack), zip, zipped).catch(() => undefined);
    this.#stored = blobs.putStream(zipped);
    this.#refused = this.#stored.then(() => new Promise<never>(() => undefined)); // never resolves
    this.#refused.catch(() => undefined); // awaited by add; finish and abort await the store itself
    return this.#pack;
  }

  /** Returns the error to report: the store's, if the broken stream is only its consequence. */
  async abort(cause: unknown): Promise<unknown> {
    this.#pack?.destroy(cause instanceof Error ? cause : new Error('stopped'));
    const said: unknown = await this.#stored?.then(
      () => undefined,
      (error: unknown) => error,
    );
    return cause instanceof DavitError || !(said instanceof DavitError) ? cause : said;
  }

  async finish(expireInMs: number | undefined): Promise<ArtifactRef | undefined> {
    if (!this.#pack || !this.#stored) return undefined;
    this.#pack.finalize();
    const { digest, bytes } = await this.#stored;
    const expiry = expireInMs === undefined ? {} : { expiresAt: this.#options.now() + expireInMs };
    return { digest, bytes, files: this.#files, ...expiry };
  }
}
