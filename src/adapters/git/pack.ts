/**
 * A folder as a tar stream: owned by root, with the open modes of GitLab's helper (any user of an image can
 * read, write and delete), links kept as links and never followed, in sorted order.
 */
import { createReadStream } from 'node:fs';
import { lstat, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { pack, type Pack } from 'tar-stream';

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
    const header = { name: path, mtime: found.mtime, uid: 0, gid: 0, uname: 'root', gname: 'root' };
    if (found.isDirectory()) {
      await entry(tar, { ...header, name: `${path}/`, type: 'directory', mode: 0o777 });
      await addFolder(tar, root, path);
    } else if (found.isSymbolicLink()) {
      const linkname = await readlink(join(root, path));
      await entry(tar, { ...header, type: 'symlink', linkname, mode: 0o777 });
    } else if (found.isFile()) {
      const mode = (found.mode & 0o111) === 0 ? 0o666 : 0o777;
      const sink = tar.entry({ ...header, type: 'file', mode, size: found.size });
      await pipeline(createReadStream(join(root, path)), sink);
    }
    // Sockets, pipes and devices are not part of a source.
  }
}

async function entry(tar: Pack, header: Parameters<Pack['entry']>[0]): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    tar.entry(header, (error) => (error ? reject(error) : resolve()));
  });
}
