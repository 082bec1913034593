/**
 * A folder as a tar stream: owned by root, with the open modes of GitLab's helper (any user of an image can
 * read, write and delete), links kept as links and never followed, in sorted order.
 */
import { createReadStream, type Stats } from 'node:fs';
import { lstat, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { pack, type Pack } from 'tar-stream';
import { FOLDER_MODE, openMode, put, ROOT_OWNER } from '../../utils/tar.ts';

/** `done` settles when everything has been read; destroying `tar` settles it early. */
export function packFolder(root: string): { tar: Readable; done: Promise<void> } {
  const tar = pack();
  const done = addFolder(tar, root, '').then(
    () => tar.finalize(),
    (error: unknown) => {
      tar.destroy(error instanceof Error ? error : new Error('packing failed'));
      throw error;
    },
  );
  // The reader of `tar` sees the same error; a caller that only awaits the stream must not crash the process.
  done.catch(() => undefined);
  // tar-stream uses streamx, ports use Node's streams. Ending one ends the other.
  return { tar: Readable.from(tar, { objectMode: false }), done };
}

async function addFolder(tar: Pack, root: string, folder: string): Promise<void> {
  const names = (await readdir(join(root, folder))).sort();
  for (const name of names) {
    const path = folder === '' ? name : `${folder}/${name}`;
    const found = await lstat(join(root, path));
    if (found.isDirectory()) {
      await put(tar, {
        ...ROOT_OWNER,
        name: `${path}/`,
        mtime: found.mtime,
        type: 'directory',
        mode: FOLDER_MODE,
      });
      await addFolder(tar, root, path);
    } else await addFile(tar, { from: join(root, path), name: path, found });
  }
}

/** A file or a link of the disk; sockets, pipes and devices are not part of a source. */
export async function addFile(
  tar: Pack,
  { from, name, found }: { from: string; name: string; found: Stats },
): Promise<void> {
  const header = { ...ROOT_OWNER, name, mtime: found.mtime };
  if (found.isSymbolicLink())
    return put(tar, { ...header, type: 'symlink', linkname: await readlink(from), mode: FOLDER_MODE });
  if (!found.isFile()) return;
  const mode = openMode(found.mode);
  if (found.size === 0) return put(tar, { ...header, type: 'file', mode });
  const sink = tar.entry({ ...header, type: 'file', mode, size: found.size });
  // A file that grows while it is read is written with the size that it had; one that shrinks ends the
  // archive.
  await pipeline(createReadStream(from, { end: found.size - 1 }), sink);
}
