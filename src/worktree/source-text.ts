/** Reads the local pipeline file and its includes, from the working tree or from a commit. */
import { readFile, realpath } from 'node:fs/promises';
import { isAbsolute, join, posix, relative, sep } from 'node:path';
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

/** A link is followed inside of the project alone: what is outside is not in the source either. */
async function onDisk({ folder }: LocalProject, file: string): Promise<Uint8Array | undefined> {
  const path = join(folder, file);
  let real: string;
  try {
    real = await realpath(path);
  } catch {
    return undefined; // the reason does not matter: the file cannot be read
  }
  const from = relative(await realpath(folder), real);
  if (from === '..' || from.startsWith(`..${sep}`) || isAbsolute(from)) throw leadsOut(file);
  return readFile(real).catch(() => undefined); // a folder
}

/** Linux's limit. */
const MAX_LINKS = 40;

async function inCommit(
  { folder }: LocalProject,
  file: string,
  commit: string,
): Promise<Uint8Array | undefined> {
  let path = posix.normalize(file);
  for (let hops = 0; hops <= MAX_LINKS; hops += 1) {
    const link = await linkIn(folder, path, commit);
    if (link === undefined) {
      const name = `${commit}:./${path}`;
      if ((await gitMaybe(folder, ['cat-file', '-t', name])) !== 'blob') return undefined;
      return Buffer.from(await git(folder, ['cat-file', 'blob', name]));
    }
    path = posix.join(posix.dirname(link.at), link.to, path.slice(link.at.length + 1));
    if (link.to.startsWith('/') || path === '..' || path.startsWith('../')) throw leadsOut(file);
  }
  throw new DavitError('source/refused', `${file} is a link that leads to itself.`);
}

/** The first part of a path that is a symbolic link in a commit. */
async function linkIn(
  folder: string,
  path: string,
  commit: string,
): Promise<{ at: string; to: string } | undefined> {
  const parts = path.split('/');
  const ends = parts.map((_, index) => parts.slice(0, index + 1).join('/'));
  const listed = await gitMaybe(folder, ['--literal-pathspecs', 'ls-tree', '-z', commit, '--', ...ends]);
  const links = (listed ?? '')
    .split('\0')
    .flatMap((line) => /^120000 blob [0-9a-f]+\t(.+)$/s.exec(line)?.[1] ?? []);
  const at = ends.find((end) => links.includes(end));
  return at === undefined
    ? undefined
    : { at, to: await git(folder, ['cat-file', 'blob', `${commit}:./${at}`]) };
}

const leadsOut = (file: string): DavitError =>
  new DavitError('source/refused', `${file} is a link that leads out of the repository.`, {
    hint: 'Link to a file of the repository, or put the file in place of the link.',
  });
