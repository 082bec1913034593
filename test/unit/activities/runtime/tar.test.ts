import type { Readable } from 'node:stream';
import { extract, pack } from 'tar-stream';
import { expect, test } from 'vitest';
import { bytesOf, putFile } from '../../../../activities/runtime/tar.ts';
import { put } from '../../../../src/utils/tar.ts';

const KIB = 1_024;
async function* inParts(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}
async function sizes(stream: Readable): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  const entries = stream.pipe(extract());
  for await (const entry of entries) {
    let bytes = 0;
    for await (const part of entry) if (part instanceof Uint8Array) bytes += part.length;
    found.set(entry.header.name, bytes);
  }
  return found;
}

test.each([0, 1, 64 * KIB, 64 * KIB + 1, 1_000 * KIB])('a file of %i bytes is held whole', async (size) => {
  const archive = pack();
  const read = sizes(bytesOf(archive));
  await putFile(archive, { name: 'one', size }, inParts(Buffer.alloc(size, 1), 7_000));
  await put(archive, { name: 'two' }, 'text');
  archive.finalize();
  expect([...(await read)]).toEqual([
    ['one', size],
    ['two', 4],
  ]);
});

test.each([100, 100 * KIB])('a file of other than %i bytes is refused', async (size) => {
  const archive = pack();
  const read = bytesOf(archive)
    .toArray()
    .catch((error: unknown) => error);
  await expect(
    putFile(archive, { name: 'one', size }, inParts(Buffer.alloc(size - 1), 50)),
  ).rejects.toThrow();
  archive.destroy(new Error('no more'));
  expect(await read).toBeInstanceOf(Error);
});

test('many small files are sent in few pieces', async () => {
  const archive = pack();
  const pieces: number[] = [];
  const read = (async () => {
    for await (const piece of bytesOf(archive) as AsyncIterable<Buffer>) pieces.push(piece.length);
  })();
  for (let at = 0; at < 200; at++) await put(archive, { name: `f${at}` }, 'text');
  archive.finalize();
  await read;
  expect(pieces.reduce((all, one) => all + one, 0)).toBe(200 * 1_024 + 1_024);
  expect(pieces.length).toBeLessThanOrEqual(5);
});

test('an archive that breaks off is reported to its reader', async () => {
  const archive = pack();
  const bytes = bytesOf(archive);
  archive.destroy(new Error('no more'));
  await new Promise(setImmediate);
  await expect(bytes.toArray()).rejects.toThrow('no more');
});
