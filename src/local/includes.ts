/** Files that a pipeline file of this folder includes, from the working tree. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DavitError } from '../errors.ts';
import type { IncludeSource } from '../pipeline/includes.ts';
import { filesOf } from './changes.ts';
import type { LocalProject } from './project.ts';

const MOST_BYTES = 1024 * 1024;

/** Rejects with `source/refused` for what is no UTF-8 text, or too large. `ref`: files are listed from this commit. */
export const localIncludes = (project: LocalProject, ref?: string): IncludeSource => ({
  read: async (files) =>
    Object.fromEntries(
      await Promise.all(
        files.map(async (file): Promise<[string, string | null]> => [file, await textOf(project, file)]),
      ),
    ),
  list: () => filesOf(project, ref),
});

async function textOf({ folder }: LocalProject, file: string): Promise<string | null> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(join(folder, file));
  } catch {
    // Not there, or a folder: the file that includes it says so, with the place.
    return null;
  }
  if (bytes.length > MOST_BYTES) throw new DavitError('source/refused', `${file} is larger than 1 MiB.`);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new DavitError('source/refused', `${file} is no UTF-8 text.`, { cause });
  }
}
