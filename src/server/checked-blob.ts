/** A blob as a stream, of which JSON is looked at before the first byte is sent. */
import { Readable } from 'node:stream';
import type { BlobStore } from '../adapters/ports.ts';
import type { Digest } from '../plan/model/ids.ts';

/** As `readSpec` of workers. */
const MAX_JSON_BYTES = 16 * 1_024 * 1_024;
const OPENERS: readonly number[] = [0x7b, 0x5b];

/**
 * `check` rejects for what may not be sent. It gets the value of a JSON document, and undefined for other bytes. Rejects
 * with `blob/missing`.
 */
export async function readChecked(
  blobs: BlobStore,
  digest: Digest,
  check: (json: { value: unknown } | undefined) => Promise<void>,
): Promise<Readable> {
  const stream = await blobs.getStream(digest);
  const iterator: AsyncIterator<Buffer> = stream[Symbol.asyncIterator]();
  const first = await iterator.next();
  if (first.done) return Readable.from([]);
  if (!OPENERS.includes(first.value[0] ?? 0)) {
    await check(undefined).catch((error: unknown) => {
      stream.destroy();
      throw error;
    });
    return whole([first.value], iterator);
  }
  stream.destroy();
  const bytes = await blobs.getBytes(digest, MAX_JSON_BYTES);
  // A tar whose first name begins with a brace is no JSON.
  await check(parsed(bytes));
  return Readable.from([bytes]);
}

function parsed(bytes: Uint8Array): { value: unknown } | undefined {
  try {
    return { value: JSON.parse(Buffer.from(bytes).toString('utf8')) };
  } catch {
    return undefined; // bytes of another kind
  }
}

function whole(read: readonly Buffer[], rest: AsyncIterator<Buffer>): Readable {
  async function* all(): AsyncGenerator<Buffer> {
    yield* read;
    for (let next = await rest.next(); !next.done; next = await rest.next()) yield next.value;
  }
  return Readable.from(all(), { objectMode: false });
}
