/** Texts of the pipeline file of this folder and of what it includes: from the working tree, or as they are in a commit. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DavitError } from '../errors.ts';
import type { IncludeSource } from '../pipeline/includes.ts';
import { filesOf } from './changes.ts';
import { git, gitMaybe } from './git.ts';
import { PIPELINE_FILES, type LocalProject } from './project.ts';

const MOST_BYTES = 1024 * 1024;

/** What of a project is read: `commit` in place of its working tree; `listed` is where files are listed from. */
export interface Reading {
  commit?: string;
  listed?: string;
}

/** Rejects with `source/refused` for what is no UTF-8 text, or too large. */
export const localIncludes = (project: LocalProject, { commit, listed }: Reading = {}): IncludeSource => ({
  read: async (files) =>
    Object.fromEntries(
      await Promise.all(
        files.map(
          async (file): Promise<[string, string | null]> => [file, await textOf(project, file, commit)],
        ),
      ),
    ),
  list: () => filesOf(project, listed),
});

/** The pipeline file of a commit. Rejects with `source/no-file`, `source/refused`. */
export async function fileOfCommit(
  project: LocalProject,
  commit: string,
  named?: string,
): Promise<{ name: string; text: string }> {
  const names = named === undefined ? PIPELINE_FILES : [named];
  for (const name of names) {
    const text = await textOf(project, name, commit);
    if (text !== null) return { name, text };
  }
  throw new DavitError('source/no-file', `Commit ${commit.slice(0, 8)} has no ${names.join(' and no ')}.`);
}

async function textOf(project: LocalProject, file: string, commit?: string): Promise<string | null> {
  // Not there, or a folder: the file that includes it says so, with the place.
  const bytes = commit === undefined ? await onDisk(project, file) : await inCommit(project, file, commit);
  if (bytes === undefined) return null;
  if (bytes.length > MOST_BYTES) throw new DavitError('source/refused', `${file} is larger than 1 MiB.`);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new DavitError('source/refused', `${file} is no UTF-8 text.`, { cause });
  }
}

const onDisk = ({ folder }: LocalProject, file: string): Promise<Uint8Array | undefined> =>
  readFile(join(folder, file)).catch(() => undefined); // nobody is told why: what matters is that it is not there

async function inCommit(
  { folder }: LocalProject,
  file: string,
  commit: string,
): Promise<Uint8Array | undefined> {
  const name = `${commit}:./${file}`;
  if ((await gitMaybe(folder, ['cat-file', '-t', name])) !== 'blob') return undefined;
  return Buffer.from(await git(folder, ['cat-file', 'blob', name]));
}
