/**
 * Tars as streams. The cost of writing depends on the bytes, not on the number of files; reading unpacks
 * nothing to disk. `eachEntry` reads tars of davit or an engine; `entries` reads tars of users, under limits.
 */
import { pipeline as pipe, Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { extract, type Header, type Pack } from 'tar-stream';
import type { Engine } from '../../src/adapters/ports.ts';
import { DavitError } from '../../src/errors.ts';
import { put, type TarHeader } from '../../src/utils/tar.ts';
import { gunzipped } from './archive-limits.ts';

/**
 * A file up to this size is held whole: a stream of its own would cost more. Also the size of a written
 * piece.
 */
const PIECE_BYTES = 64 * 1024;

/** Writes a file of `header.size` bytes. Rejects if its content has another size, or breaks off. */
export async function putFile(
  archive: Pack,
  header: TarHeader & { size: number },
  content: AsyncIterable<unknown>,
): Promise<void> {
  if (header.size <= PIECE_BYTES) return put(archive, header, await sized(header, content));
  await pipeline(Readable.from(content, { objectMode: false }), archive.entry(header));
}

async function sized(
  header: { name: string; size: number },
  content: AsyncIterable<unknown>,
): Promise<Buffer> {
  const bytes = await buffer(content);
  if (bytes.length !== header.size)
    throw new Error(`${header.name} has ${bytes.length} bytes, and its tar says ${header.size}`);
  return bytes;
}

/** The archive's bytes. A tar comes in pieces of 512 bytes, and each would cost the sender a write. */
export function bytesOf(archive: Pack): Readable {
  // Listens from here on, not from the first read: an earlier error would be missed.
  const pieces = Readable.from(archive, { objectMode: false });
  return Readable.from(joined(pieces), { objectMode: false, highWaterMark: PIECE_BYTES });
}

async function* joined(pieces: AsyncIterable<unknown>): AsyncGenerator<Buffer> {
  let held: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of pieces) {
    if (!(piece instanceof Uint8Array)) continue;
    held.push(piece);
    bytes += piece.length;
    if (bytes < PIECE_BYTES) continue;
    yield Buffer.concat(held);
    held = [];
    bytes = 0;
  }
  if (bytes > 0) yield Buffer.concat(held);
}

/**
 * Calls `visit` for each entry, one after the other; unread content is dropped. A rejection of `visit` ends
 * the reading at once, because a reader with a half-read entry may never end.
 */
export async function eachEntry(
  tar: Readable,
  visit: (header: Header, content: AsyncIterable<unknown>) => Promise<void>,
): Promise<void> {
  const entries = extract();
  const read = pipeline(tar, entries);
  const refused = Promise.withResolvers<never>();
  const visited = (async () => {
    for await (const entry of entries) {
      try {
        await visit(entry.header, entry);
      } catch (error) {
        refused.reject(error);
        throw error;
      }
      entry.resume();
    }
  })();
  const whole = Promise.all([read, visited]);
  whole.catch(() => undefined); // raced; a loser's failure follows from the winner's
  try {
    await Promise.race([refused.promise, whole]);
  } catch (error) {
    tar.destroy();
    throw error;
  }
}

/**
 * Text of one regular file of a container, running or ended; undefined if there is none. Rejects above
 * `maxBytes`.
 */
export async function readContainerFile(
  engine: Engine,
  file: { container: string; path: string; maxBytes: number },
): Promise<string | undefined> {
  const tar = await engine.download(file.container, file.path);
  if (!tar) return undefined;
  let found: string | undefined;
  await eachEntry(tar, async (header, content) => {
    if (header.type !== 'file' || found !== undefined) return;
    if (header.size > file.maxBytes)
      throw new DavitError('job/artifacts', `${file.path} is larger than ${file.maxBytes} bytes.`);
    found = await text(content);
  });
  return found;
}

/** GitLab's limit for a pipeline file; entries and bytes limit the cost of a hostile archive. */
const MAX_FILE_BYTES = 1024 * 1024;
/** The limit of a source; artifacts and caches have `limits.archive_entries`. */
export const MAX_ENTRIES = 1_000_000;
const MAX_TAR_BYTES = 8 * 1024 * 1024 * 1024;
const MAX_RATIO = 200;

export interface TarEntry {
  /** Without a leading `./` and without a trailing slash. */
  path: string;
  header: Header;
  body: Readable;
}

/**
 * The entries of a tar, gzipped or not. An unread body is skipped. Rejects with `source/refused` if it is not
 * a tar, for a path that leaves its root, past a million entries or 8 GiB, and if it is
 * packed too densely.
 */
export async function* entries(stream: Readable): AsyncGenerator<TarEntry> {
  const reader = extract();
  // The reader's own error is handled below; the callback prevents an uncaught error of a broken pipe.
  pipe(await plain(stream), reader, () => undefined);
  let count = 0;
  let bytes = 0;
  try {
    for await (const entry of reader) {
      count += 1;
      bytes += entry.header.size ?? 0;
      if (count > MAX_ENTRIES || bytes > MAX_TAR_BYTES)
        throw refused('The source has more than a million files, or more than 8 GiB.');
      const path = cleanPath(entry.header.name);
      const body = Readable.from(entry, { objectMode: false });
      if (path !== '') yield { path, header: entry.header, body };
      entry.resume();
    }
  } catch (error) {
    if (error instanceof DavitError) throw error;
    throw refused('The source is not a readable archive.', error);
  } finally {
    stream.destroy();
    reader.destroy();
  }
}

/**
 * Text of those of `names` that exist, the last of each. Stops after `until`, if given. `links`: gets the symbolic links
 * that were read on the way.
 */
export async function readFiles(
  stream: Readable,
  names: readonly string[],
  { until, links }: { until?: string | undefined; links?: Map<string, string> } = {},
): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for await (const { path, header, body } of entries(stream)) {
    if (header.type === 'symlink') links?.set(path, header.linkname ?? '');
    if (!names.includes(path) || header.type !== 'file') continue;
    if ((header.size ?? 0) > MAX_FILE_BYTES) throw refused(`${path} is larger than 1 MiB.`);
    found.set(path, decode(path, await buffer(body)));
    if (path === until) break;
  }
  return found;
}

/** `./a//b/` is `a/b`; the root itself is the empty path. */
function cleanPath(name: string): string {
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) throw refused('The source has a path that leaves its root.');
  return parts.join('/');
}

function decode(name: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw refused(`${name} is not UTF-8 text.`, error);
  }
}

/** Unpacks gzip, detected by its magic number (RFC 1952); passes anything else unchanged. */
async function plain(stream: Readable): Promise<Readable> {
  const iterator: AsyncIterator<Buffer> = stream[Symbol.asyncIterator]();
  const first = await iterator.next();
  if (first.done) return Readable.from([]);
  const head = first.value;
  const whole = Readable.from(chain(head, iterator), { objectMode: false });
  if (head[0] !== 0x1f || head[1] !== 0x8b) return whole;
  return gunzipped(whole, MAX_RATIO, () =>
    refused(`The source unpacks to more than ${MAX_RATIO} times its size.`),
  );
}

async function* chain(head: Buffer, rest: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  yield head;
  for (let next = await rest.next(); !next.done; next = await rest.next()) yield next.value;
}

export const refused = (message: string, cause?: unknown): DavitError =>
  new DavitError('source/refused', message, { cause });
