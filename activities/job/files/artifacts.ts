/**
 * Role: collects the artifacts of an ended container into one tar.gz blob.
 *
 * Invariants:
 *  ART-1 Names in the archive are relative to the project and never leave it; links stay links.
 *  ART-2 At most `artifact_bytes` of content; more fails the job (`job/artifacts`). At most
 *        `archive_entries` entries, and `archive_ratio` bytes of content a packed byte (`archive/limit`).
 *  ART-3 Streams: nothing is held entirely in memory or on the worker's disk.
 */
import { posix } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { type Header, type Pack, pack } from 'tar-stream';
import type { BlobStore, Engine } from '../../../src/adapters/ports.ts';
import { DavitError } from '../../../src/errors.ts';
import type { Digest } from '../../../src/plan/model/ids.ts';
import type { ArtifactRef } from '../../../src/plan/model/outcome.ts';
import type { ArtifactsSpec } from '../../../src/plan/model/spec.ts';
import { type Selection, selectFiles, withParents } from './artifact-globs.ts';
import { openMode, put } from '../../../src/utils/tar.ts';
import { type ArchiveLimits, denseError, guard, isTooDense } from '../../runtime/archive-limits.ts';
import { bytesOf, eachEntry, putFile } from '../../runtime/tar.ts';
import { inside } from '../../runtime/path-inside.ts';

export interface CollectRequest {
  engine: Engine;
  blobs: BlobStore;
  container: string;
  projectDir: string;
  source: Digest;
  spec: ArtifactsSpec;
  maxBytes: number;
  limits: ArchiveLimits;
  /** Epoch ms by the server's clock. */
  now(): number;
  /** What messages call the files; default: artifacts. */
  what?: string;
}
export interface CollectedArtifacts {
  artifact?: ArtifactRef;
  warnings: string[];
}

/** If nothing matches, returns a warning. Rejects with `job/artifacts` or `archive/limit`. */
export async function collectArtifacts(collecting: CollectRequest): Promise<CollectedArtifacts> {
  const { spec, projectDir } = collecting;
  const selection = selectFiles(projectDir, spec.paths, spec.exclude);
  const untracked = spec.untracked ? await trackedFiles(collecting) : undefined;
  const archive = new Archive(collecting);
  const matched = new Set<number>();
  const links: string[] = [];
  try {
    for (const base of untracked ? [''] : selection.bases)
      await eachFile(collecting, base, async (path, header, content) => {
        const by = selection.chosenBy(path);
        for (const index of by) matched.add(index);
        if (by.length === 0 && !isUntracked(path, header, untracked)) return;
        if (header.type === 'link') archive.checkEntries(links.push(path));
        else await archive.add(path, header, content);
      });
    // A hard link comes without content; if requested alone, it comes as a file.
    for (const link of links)
      await eachFile(collecting, link, (path, header, content) => archive.add(path, header, content));
  } catch (error) {
    throw await archive.abort(error);
  }
  const artifact = await archive.finish(spec.expireInMs);
  const from = { selection, matched, any: artifact !== undefined, what: collecting.what ?? 'artifacts' };
  return { artifact, warnings: warningsOf(from) };
}

function warningsOf({
  selection,
  matched,
  any,
  what,
}: {
  selection: Selection;
  matched: ReadonlySet<number>;
  any: boolean;
  what: string;
}): string[] {
  const none = selection.patterns.filter((_, index) => !matched.has(index));
  return [
    ...selection.refused.map((path) => `${what}: ${path} is not in the project's directory; left out.`),
    ...none.map((path) => `${what}: ${path}: no matching files.`),
    ...(any || none.length > 0 ? [] : [`${what}: there is nothing to keep.`]),
  ];
}

/** Every entry below a path of the project, by its name relative to the project. */
export async function eachFile(
  { engine, container, projectDir }: Pick<CollectRequest, 'engine' | 'container' | 'projectDir'>,
  base: string,
  visit: (path: string, header: Header, content: AsyncIterable<unknown>) => Promise<void>,
): Promise<void> {
  const tar = await engine.download(container, base === '' ? projectDir : `${projectDir}/${base}`);
  if (!tar) return;
  const above = base === '' ? undefined : posix.dirname(base);
  await eachEntry(tar, async (header, content) => {
    // The engine names entries starting with the last part of the requested path.
    const name =
      above === undefined ? header.name.split('/').slice(1).join('/') : posix.join(above, header.name);
    const path = inside(name);
    if (path) await visit(path, header, content);
  });
}

async function trackedFiles({ blobs, source }: CollectRequest): Promise<Set<string>> {
  const names = new Set<string>();
  await eachEntry(await blobs.getStream(source), async (header) => {
    names.add(inside(header.name) ?? '');
  });
  return names;
}

const isUntracked = (path: string, header: Header, tracked: Set<string> | undefined): boolean =>
  tracked !== undefined && header.type !== 'directory' && !tracked.has(path) && !/^\.git(\/|$)/.test(path);

/** A tar.gz on its way into the blob store; started by its first entry. */
class Archive {
  readonly #collecting: CollectRequest;
  #pack: Pack | undefined;
  #stored: Promise<{ digest: Digest; bytes: number }> | undefined;
  #refused: Promise<never> | undefined;
  readonly #directories = new Set<string>();
  #bytes = 0;
  #files = 0;

  constructor(collecting: CollectRequest) {
    this.#collecting = collecting;
  }

  /** Rejects with the store's error as soon as the store fails, so that a writer does not wait forever. */
  async add(path: string, header: Header, content: AsyncIterable<unknown>): Promise<void> {
    this.#begin();
    await Promise.race([this.#write(path, header, content), this.#refused]);
  }

  async #write(path: string, header: Header, content: AsyncIterable<unknown>): Promise<void> {
    const archive = this.#begin();
    for (const directory of withParents(posix.dirname(path)).reverse()) await this.#directory(directory);
    if (header.type === 'directory') return this.#directory(path);
    if (header.type === 'symlink') {
      this.#files += 1;
      this.checkEntries();
      return put(archive, {
        name: path,
        type: 'symlink',
        linkname: header.linkname,
        mode: 0o777,
        mtime: header.mtime,
      });
    }
    if (header.type !== 'file') return; // ignores devices and pipes
    this.#bytes += header.size;
    this.#files += 1;
    this.checkEntries();
    const { maxBytes, what = 'artifacts' } = this.#collecting;
    if (this.#bytes > maxBytes)
      throw new DavitError('job/artifacts', `${what}: larger than the limit of ${maxBytes} bytes.`);
    const mode = openMode(header.mode);
    const { size, mtime } = header;
    await putFile(archive, { name: path, type: 'file', mode, size, mtime }, content);
  }

  async #directory(path: string): Promise<void> {
    if (path === '.' || this.#directories.has(path)) return;
    this.#directories.add(path);
    this.checkEntries();
    await put(this.#begin(), { name: `${path}/`, type: 'directory', mode: 0o777, mtime: new Date(0) });
  }

  /** Each entry costs memory here and wherever it is unpacked, even if it is empty. `more`: those still to come. */
  checkEntries(more = 0): void {
    const { what = 'artifacts', limits } = this.#collecting;
    if (this.#files + this.#directories.size + more <= limits.entries) return;
    throw new DavitError('archive/limit', `${what}: more than ${limits.entries} files and directories.`);
  }

  #begin(): Pack {
    if (this.#pack) return this.#pack;
    this.#pack = pack();
    const zip = createGzip();
    const { what = 'artifacts', limits } = this.#collecting;
    const zipped = guard(
      (packed) => isTooDense(zip.bytesWritten, packed, limits.ratio),
      () => denseError(`${what}: the archive`, limits.ratio),
    );
    // A failure destroys `zipped` too, and the store rejects with it.
    pipeline(bytesOf(this.#pack), zip, zipped).catch(() => undefined);
    this.#stored = this.#collecting.blobs.putStream(zipped);
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
    const expiry = expireInMs === undefined ? {} : { expiresAt: this.#collecting.now() + expireInMs };
    return { digest, bytes, files: this.#files, ...expiry };
  }
}
