/** Packs files of a tree into a tar: owner root, open modes, links kept as links. */
import { createReadStream, type Stats } from 'node:fs';
import { lstat, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { pack, type Pack } from 'tar-stream';

export interface Entry {
  /** Path on disk. */
  from: string;
  /** Path in the tar. */
  name: string;
}

/** The files of a tree, and the `.git` of a clone. */
export async function withGit(tree: string, clone: string, files: string[]): Promise<Entry[]> {
  const git = await everyFile(join(clone, '.git'), '');
  return [
    ...git.map((name) => ({ from: join(clone, '.git', name), name: `.git/${name}` })),
    ...files.filter((name) => name !== '.git').map((name) => ({ from: join(tree, name), name })),
  ];
}

/** `done` settles when everything has been read; destroying `tar` ends it early. */
export function packEntries(entries: readonly Entry[]): { tar: Readable; done: Promise<void> } {
  const tar = pack();
  const done = fill(tar, entries).then(
    () => tar.finalize(),
    (error: unknown) => {
      tar.destroy(error instanceof Error ? error : new Error('packing failed'));
      throw error;
    },
  );
  // tar-stream uses streamx, everything else Node's streams. Ending one ends the other.
  return { tar: Readable.from(tar, { objectMode: false }), done };
}

async function fill(tar: Pack, entries: readonly Entry[]): Promise<void> {
  const made = new Set<string>(['.git/refs', '.git/objects']);
  // git requires these folders, and they may be empty in a fresh clone.
  for (const name of made) await folder(tar, name);
  for (const { from, name } of entries) {
    for (const parent of parents(name)) {
      if (made.has(parent)) continue;
      made.add(parent);
      await folder(tar, parent);
    }
    await add(tar, from, name);
  }
}

/** `a/b/c` to `a`, `a/b`. */
function parents(name: string): string[] {
  const parts = name.split('/').slice(0, -1);
  return parts.map((_part, index) => parts.slice(0, index + 1).join('/'));
}

const ROOT = { uid: 0, gid: 0, uname: 'root', gname: 'root' };

async function add(tar: Pack, from: string, name: string): Promise<void> {
  const found = await statOf(from);
  if (!found) return; // deleted while the tree was read
  const header = { ...ROOT, name, mtime: found.mtime };
  if (found.isSymbolicLink()) {
    await entry(tar, { ...header, type: 'symlink', linkname: await readlink(from), mode: 0o777 });
  } else if (found.isFile()) {
    const mode = (found.mode & 0o111) === 0 ? 0o666 : 0o777;
    if (found.size === 0) return entry(tar, { ...header, type: 'file', mode }, '');
    const sink = tar.entry({ ...header, type: 'file', mode, size: found.size });
    // A file that grows while it is read is sent with its old length; one that shrinks fails the upload.
    const end = found.size - 1;
    await pipeline(createReadStream(from, { end }), sink);
  }
  // Sockets, pipes and devices do not belong to a source.
}

const folder = (tar: Pack, name: string): Promise<void> =>
  entry(tar, { ...ROOT, name: `${name}/`, type: 'directory', mode: 0o777 });

const entry = (tar: Pack, header: Parameters<Pack['entry']>[0], content?: string): Promise<void> =>
  new Promise((resolve, reject) => {
    const done = (error?: Error | null): void => (error ? reject(error) : resolve());
    if (content === undefined) tar.entry(header, done);
    else tar.entry(header, content, done);
  });

/** Files and links below a folder, without `.git` folders. */
export async function everyFile(root: string, folder: string): Promise<string[]> {
  const files: string[] = [];
  for (const entry of await readdir(join(root, folder), { withFileTypes: true })) {
    const name = folder === '' ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory() && entry.name !== '.git') files.push(...(await everyFile(root, name)));
    else if (entry.isFile() || entry.isSymbolicLink()) files.push(name);
  }
  return files;
}

export const statOf = async (path: string): Promise<Stats | undefined> => {
  try {
    return await lstat(path);
  } catch {
    return undefined; // deleted or not readable: git could not commit it either
  }
};
