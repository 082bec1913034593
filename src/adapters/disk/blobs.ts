/**
 * Blobs by digest: `blobs/sha256/AB/ABCDEF…`. A blob is written in the scratch folder, made durable, and only
 * then renamed, so that a file under a digest is always complete. Putting twice results in one file.
 */
import { createHash, type Hash } from 'node:crypto';
import { link, open, utimes, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { DavitError } from '../../errors.ts';
import { isDigest, type Digest } from '../../plan/model/ids.ts';
import type { BlobStore } from '../ports.ts';
import { makeDir, onDisk, READ, syncDir, systemCode, type Scratch } from './files.ts';
import { withErrorListener } from '../../utils/error-listener.ts';
import { sha256 } from '../../utils/sha256.ts';

const READ_CHUNK = 256 * 1024;

export function diskBlobs(folder: string, scratch: Scratch): BlobStore {
  const pathOf = (digest: Digest): string => {
    if (!isDigest(digest))
      throw new DavitError('usage/invalid', 'Not a digest: expected sha256: and 64 hex digits.');
    const hex = digest.slice('sha256:'.length);
    return join(folder, 'sha256', hex.slice(0, 2), hex);
  };
  const put = async (stream: Readable): Promise<{ digest: Digest; bytes: number }> =>
    scratch.write(
      (handle) => copy(stream, handle),
      (path, { digest }) => name(path, pathOf(digest)),
    );
  return {
    putBytes: (bytes) =>
      onDisk('a blob', async () => {
        const digest: Digest = `sha256:${sha256(bytes)}`;
        if (await fresh(pathOf(digest))) return digest;
        return (await put(Readable.from([bytes]))).digest;
      }),
    putStream: async (stream) => {
      try {
        return await onDisk('a blob', () => put(stream));
      } finally {
        stream.destroy();
      }
    },
    getBytes: (digest, maxBytes = Number.POSITIVE_INFINITY) =>
      onDisk('a blob', async () => {
        const handle = await openBlob(pathOf(digest), digest);
        try {
          const { size } = await handle.stat();
          if (size > maxBytes)
            throw new DavitError(
              'blob/too-large',
              `The blob ${digest} has ${size} bytes; the limit is ${maxBytes}.`,
            );
          return await handle.readFile();
        } finally {
          await handle.close();
        }
      }),
    getStream: (digest) =>
      onDisk('a blob', async () =>
        // The stream closes the handle, even if it is destroyed before its end.
        withErrorListener(
          (await openBlob(pathOf(digest), digest)).createReadStream({ highWaterMark: READ_CHUNK }),
        ),
      ),
    has: (digest) => onDisk('a blob', () => fresh(pathOf(digest))),
  };
}

async function copy(stream: Readable, handle: FileHandle): Promise<{ digest: Digest; bytes: number }> {
  const hash: Hash = createHash('sha256');
  let bytes = 0;
  const chunks: AsyncIterable<Uint8Array | string> = stream;
  for await (const chunk of chunks) {
    const buffer = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
    hash.update(buffer);
    await writeAll(handle, buffer);
    bytes += buffer.length;
  }
  return { digest: `sha256:${hash.digest('hex')}`, bytes };
}

async function writeAll(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  let done = 0;
  while (done < bytes.length) done += (await handle.write(bytes, done)).bytesWritten;
}

async function name(path: string, target: string): Promise<void> {
  await makeDir(dirname(target));
  try {
    await link(path, target);
  } catch (error) {
    // The same bytes exist and are needed from now on; if a collection has just removed them, they are
    // restored.
    if (systemCode(error) !== 'EEXIST') throw error;
    if (!(await fresh(target))) await link(path, target);
  }
  await syncDir(dirname(target));
}

/** True if it exists; its age is reset as if it had just been stored (COLLECT-2). */
async function fresh(path: string): Promise<boolean> {
  try {
    const now = new Date();
    await utimes(path, now, now);
    return true;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return false;
    throw error;
  }
}

async function openBlob(path: string, digest: Digest): Promise<FileHandle> {
  try {
    return await open(path, READ);
  } catch (error) {
    if (systemCode(error) === 'ENOENT')
      throw new DavitError('blob/missing', `The store has no blob ${digest}.`, { cause: error });
    throw error;
  }
}
