/** Copies of remote files: in the store, for workers; in a folder, for the command line. */
import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DavitError } from '../../errors.ts';
import { remoteCopyName, type RemoteCopy } from '../../plan/model/records.ts';
import type { BlobStore, RecordStore } from '../ports.ts';
import type { RemoteCopies } from './remote.ts';
import { sha256 } from '../../utils/sha256.ts';

const MAX_BYTES = 1024 * 1024;
/** Rejects if the store is unreachable; if it has lost the blob, there is no copy. */
export function storedCopies(
  blobs: BlobStore,
  records: RecordStore,
  now: () => number = Date.now,
): RemoteCopies {
  return {
    async get(url) {
      const copy = await records.get<RemoteCopy>(remoteCopyName(sha256(url)));
      if (!copy) return undefined;
      try {
        return { bytes: await blobs.getBytes(copy.digest, MAX_BYTES), at: copy.at };
      } catch (error) {
        if (error instanceof DavitError && error.code === 'blob/missing') return undefined;
        throw error;
      }
    },
    async put(url, bytes) {
      const copy: RemoteCopy = { digest: await blobs.putBytes(bytes), at: now() };
      await records.put(remoteCopyName(sha256(url)), copy);
    },
  };
}

/** The file's time is the time of the fetch. */
export function folderCopies(folder: string): RemoteCopies {
  return {
    async get(url) {
      const path = join(folder, sha256(url));
      try {
        return { bytes: await readFile(path), at: (await stat(path)).mtimeMs };
      } catch {
        return undefined; // missing or unreadable: it is fetched
      }
    },
    async put(url, bytes) {
      const path = join(folder, sha256(url));
      try {
        await mkdir(folder, { recursive: true, mode: 0o700 });
        const fresh = `${path}.${randomUUID()}`;
        await writeFile(fresh, bytes, { mode: 0o600 });
        await rename(fresh, path);
      } catch {
        // If the cache cannot be written (a full disk, another owner), the next run fetches again.
      }
    },
  };
}
