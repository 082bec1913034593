import type { Readable } from 'node:stream';
import type { IncludeSource } from '../../src/compiler/includes.ts';
import { entries, readFiles } from '../runtime/tar.ts';

/** Looked for in this order unless the trigger names another. */
export const PIPELINE_FILES = ['.davit.yml', '.gitlab-ci.yml'] as const;

/** Every file of a tar, `.git` left out; for `exists`. Rejects with `source/refused`. */
export async function listFiles(tar: Readable): Promise<string[]> {
  const files: string[] = [];
  for await (const { path, header } of entries(tar))
    if (header.type !== 'directory' && !path.startsWith('.git/')) files.push(path);
  return files;
}

/** Included files of a tar, which `open` opens again for each round. */
export const sourceFiles = (open: () => Promise<Readable>): Pick<IncludeSource, 'read' | 'list'> => ({
  async read(files) {
    const found = await readFiles(await open(), files);
    return Object.fromEntries(files.map((file) => [file, found.get(file) ?? null]));
  },
  list: async () => listFiles(await open()),
});

/**
 * The first of `names` in a tar, without unpacking it; undefined when there is none. Rejects with
 * `source/refused`.
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
