/** Writing tars entry by entry, at a cost that follows their bytes and not their number of files. */
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import type { Pack } from 'tar-stream';

/** A file up to this size is held whole: a stream of its own costs more than its bytes. Also what goes out in one piece. */
const PIECE_BYTES = 64 * 1024;

/** What is written of an entry. */
export type Entry = Parameters<Pack['entry']>[0];

/** Writes an entry whose content is at hand: a text, or nothing. */
export function put(archive: Pack, header: Entry, content: string | Buffer = ''): Promise<void> {
  return new Promise((resolve, reject) => {
    archive.entry(header, content, (error) => (error ? reject(error) : resolve()));
  });
}

/** Writes a file of `header.size` bytes. Rejects when its content has another size, or breaks off. */
export async function putFile(
  archive: Pack,
  header: Entry & { size: number },
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

/** The archive's bytes. A tar comes in pieces of 512 bytes; whoever sends it on would pay for a write each. */
export function bytesOf(archive: Pack): Readable {
  // Listened to from here on and not from the first read: of one that has broken off by then nobody would hear.
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
