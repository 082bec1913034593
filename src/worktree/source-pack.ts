/** Packs files of a tree into a tar: owner root, open modes, links kept as links. */
import type { Stats } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pack, type Pack } from 'tar-stream';
import { addFile } from '../adapters/git/pack.ts';
import { FOLDER_MODE, put, ROOT_OWNER } from '../utils/tar.ts';

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

async function add(tar: Pack, from: string, name: string): Promise<void> {
  const found = await statOf(from);
  if (found) await addFile(tar, { from, name, found }); // otherwise it was deleted while the tree was read
}

const folder = (tar: Pack, name: string): Promise<void> =>
  put(tar, { ...ROOT_OWNER, name: `${name}/`, type: 'directory', mode: FOLDER_MODE });

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
