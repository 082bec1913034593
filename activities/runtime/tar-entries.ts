/** Tars as streams: what stands in them is read without unpacking anything to disk, under limits. */
import { Readable, pipeline } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { createGunzip } from 'node:zlib';
import { extract, type Header } from 'tar-stream';
import { DavitError } from '../../src/errors.ts';

/** GitLab's limit for a pipeline file; entries and bytes bound what one hostile archive can cost. */
const MAX_FILE_BYTES = 1024 * 1024;
const MAX_ENTRIES = 1_000_000;
const MAX_TAR_BYTES = 8 * 1024 * 1024 * 1024;

export interface TarEntry {
  /** Without a leading `./` and without a trailing slash. */
  path: string;
  header: Header;
  body: Readable;
}

/**
 * The entries of a tar, gzipped or not. A body that is not read is skipped. Rejects with `source/refused` for what is no tar, for
 * a path that leaves its root, and past a million entries or 8 GiB.
 */
export async function* entries(stream: Readable): AsyncGenerator<TarEntry> {
  const reader = extract();
  // The reader's own error stands below; the callback is there because a broken pipe must not be an uncaught one.
  pipeline(await plain(stream), reader, () => undefined);
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
    throw refused('The source is no archive that can be read.', error);
  } finally {
    stream.destroy();
    reader.destroy();
  }
}

/** Text of those of `names` that are there, the last of each. Stops once it has `until`, where that is given. */
export async function readFiles(
  stream: Readable,
  names: readonly string[],
  until?: string,
): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for await (const { path, header, body } of entries(stream)) {
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
    throw refused(`${name} is no UTF-8 text.`, error);
  }
}

/** Unpacks gzip by its magic number (RFC 1952); anything else passes as it is. */
async function plain(stream: Readable): Promise<Readable> {
  const iterator: AsyncIterator<Buffer> = stream[Symbol.asyncIterator]();
  const first = await iterator.next();
  if (first.done) return Readable.from([]);
  const head = first.value;
  const whole = Readable.from(chain(head, iterator), { objectMode: false });
  if (head[0] !== 0x1f || head[1] !== 0x8b) return whole;
  return pipeline(whole, createGunzip(), () => undefined);
}

async function* chain(head: Buffer, rest: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  yield head;
  for (let next = await rest.next(); !next.done; next = await rest.next()) yield next.value;
}

export const refused = (message: string, cause?: unknown): DavitError =>
  new DavitError('source/refused', message, { cause });
