/**
 * A folder as a tar stream: owned by root, with the open modes of GitLab's helper (any user of an image can
 * read, write and delete), links kept as links and never followed, in sorted order.
 */
import { isUtf8 } from 'node:buffer';
import { createReadStream, type Stats } from 'node:fs';
import { lstat, readdir, readlink } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { pack, type Pack } from 'tar-stream';
import { FOLDER_MODE, openMode, put, putRawNames, ROOT_OWNER, type RawNames } from '../../utils/tar.ts';

/** `done` settles when everything has been read; destroying `tar` settles it early. */
export function packFolder(root: string): { tar: Readable; done: Promise<void> } {
  const tar = pack();
  const done = addFolder(tar, root, Buffer.alloc(0)).then(
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

const SLASH = Buffer.from('/');
const below = (folder: Buffer, name: Buffer): Buffer =>
  folder.length === 0 ? name : Buffer.concat([folder, SLASH, name]);

/** `folder`: its path in the tar. Names are bytes: git has some that are not UTF-8. */
async function addFolder(tar: Pack, root: string, folder: Buffer): Promise<void> {
  const top = Buffer.from(root);
  const names = await readdir(below(top, folder), { encoding: 'buffer' });
  for (const name of names.sort((a, b) => a.compare(b))) {
    const path = below(folder, name);
    const from = below(top, path);
    const found = await lstat(from);
    if (found.isDirectory()) {
      const header = { ...ROOT_OWNER, mtime: found.mtime, type: 'directory', mode: FOLDER_MODE } as const;
      await put(tar, named(tar, header, { name: Buffer.concat([path, SLASH]) }));
      await addFolder(tar, root, path);
    } else await addFile(tar, { from, name: path, found });
  }
}

/** The header with its names; those that are not UTF-8 are written before it. */
function named<T extends object>(
  tar: Pack,
  header: T,
  { name, linkname }: RawNames,
): T & { name: string; linkname?: string } {
  const whole = { ...header, name: name.toString(), ...(linkname && { linkname: linkname.toString() }) };
  if (isUtf8(name) && (!linkname || isUtf8(linkname))) return whole;
  return putRawNames(tar, whole, { name, ...(linkname && { linkname }) });
}

/** A file or a link of the disk; sockets, pipes and devices are not part of a source. */
export async function addFile(
  tar: Pack,
  { from, name, found }: { from: string | Buffer; name: string | Buffer; found: Stats },
): Promise<void> {
  const names = { name: Buffer.from(name) };
  const header = { ...ROOT_OWNER, mtime: found.mtime };
  if (found.isSymbolicLink()) {
    const linkname = await readlink(from, { encoding: 'buffer' });
    const link = { ...header, type: 'symlink', mode: FOLDER_MODE } as const;
    return put(tar, named(tar, link, { ...names, linkname }));
  }
  if (!found.isFile()) return;
  const mode = openMode(found.mode);
  const file = named(tar, { ...header, type: 'file', mode, size: found.size } as const, names);
  if (found.size === 0) return put(tar, file);
  const sink = tar.entry(file);
  // A file that grows while it is read is written with the size that it had; one that shrinks ends the
  // archive.
  await pipeline(createReadStream(from, { end: found.size - 1 }), sink);
}
