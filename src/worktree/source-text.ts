/** Reads the local pipeline file and its includes, from the working tree or from a commit. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DavitError } from '../errors.ts';
import { git, gitMaybe } from './git.ts';
import { PIPELINE_FILES, type LocalProject } from './project.ts';

const MAX_BYTES = 1024 * 1024;

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
  throw new DavitError(
    'source/no-file',
    `Commit ${commit.slice(0, 8)} does not contain ${names.join(' or ')}.`,
  );
}

/** From the working tree or a commit; null if the file does not exist. Rejects with `source/refused`. */
export async function textOf(project: LocalProject, file: string, commit?: string): Promise<string | null> {
  // A missing file or a folder is reported at the include, with its place.
  const bytes = commit === undefined ? await onDisk(project, file) : await inCommit(project, file, commit);
  if (bytes === undefined) return null;
  if (bytes.length > MAX_BYTES) throw new DavitError('source/refused', `${file} is larger than 1 MiB.`);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new DavitError('source/refused', `${file} is not UTF-8 text.`, { cause });
  }
}

const onDisk = ({ folder }: LocalProject, file: string): Promise<Uint8Array | undefined> =>
  readFile(join(folder, file)).catch(() => undefined); // the reason does not matter: the file cannot be read

async function inCommit(
  { folder }: LocalProject,
  file: string,
  commit: string,
): Promise<Uint8Array | undefined> {
  const name = `${commit}:./${file}`;
  if ((await gitMaybe(folder, ['cat-file', '-t', name])) !== 'blob') return undefined;
  return Buffer.from(await git(folder, ['cat-file', 'blob', name]));
}
