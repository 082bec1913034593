import type { Readable } from 'node:stream';
import { readFiles } from './ship/tar.ts';

/** Looked for in this order unless the trigger names another. */
export const PIPELINE_FILES = ['.davit.yml', '.gitlab-ci.yml'] as const;

/** The first of `names` in a tar, without unpacking it; undefined when there is none. Rejects with `source/refused`. */
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
