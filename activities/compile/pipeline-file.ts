import type { Readable } from 'node:stream';
import type { IncludeSource } from '../../src/compiler/includes.ts';
import { entries, readFiles } from '../runtime/tar.ts';

/** Tried in this order unless the trigger names a file. */
export const PIPELINE_FILES = ['.davit.yml', '.gitlab-ci.yml'] as const;

/** Paths of all files in a tar except `.git`; for `exists`. Rejects with `source/refused`. */
export async function listFiles(tar: Readable): Promise<string[]> {
  const files: string[] = [];
  for await (const { path, header } of entries(tar))
    if (header.type !== 'directory' && !path.startsWith('.git/')) files.push(path);
  return files;
}

/** Reads included files from a tar, which `open` opens again for each round. */
export const sourceFiles = (open: () => Promise<Readable>): Pick<IncludeSource, 'read' | 'list'> => ({
  async read(files) {
    const found = await readFiles(await open(), files);
    return Object.fromEntries(files.map((file) => [file, found.get(file) ?? null]));
  },
  list: async () => listFiles(await open()),
});

/**
 * The first of `names` that a tar contains, read without unpacking; undefined if it contains none. Rejects
 * with `source/refused`.
 */
export async function findFile(
  tar: Readable,
  names: readonly string[],
): Promise<{ name: string; text: string } | undefined> {
  const found = await readFiles(tar, names, names[0]);
  for (const name of names) {
    const text = found.get(name);
    if (text !== undefined) return { name, text };
  }
  return undefined;
}
