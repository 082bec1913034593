import { posix } from 'node:path';
import type { Readable } from 'node:stream';
import { DavitError } from '../../src/errors.ts';
import type { IncludeSource } from '../../src/compiler/includes.ts';
import { entries, readFiles } from '../runtime/tar.ts';

/** Tried in this order unless the trigger names a file. */
export const PIPELINE_FILES = ['.davit.yml', '.gitlab-ci.yml'] as const;
/** Linux's limit. */
const MAX_LINKS = 40;

type Open = () => Promise<Readable>;

/** Paths of all files in a tar except `.git`; for `exists`. Rejects with `source/refused`. */
export async function listFiles(tar: Readable): Promise<string[]> {
  const files: string[] = [];
  for await (const { path, header } of entries(tar))
    if (header.type !== 'directory' && !path.startsWith('.git/')) files.push(path);
  return files;
}

/** Reads included files from a tar, which `open` opens again for each round. */
export const sourceFiles = (open: Open): Pick<IncludeSource, 'read' | 'list'> => ({
  async read(files) {
    const found = await readLinked(open, files);
    return Object.fromEntries(files.map((file) => [file, found.get(file) ?? null]));
  },
  list: async () => listFiles(await open()),
});

/**
 * The first of `names` that a tar contains, read without unpacking; undefined if it contains none. Rejects
 * with `source/refused`.
 */
export async function findFile(
  open: Open,
  names: readonly string[],
): Promise<{ name: string; text: string } | undefined> {
  const found = await readLinked(open, names, names[0]);
  for (const name of names) {
    const text = found.get(name);
    if (text !== undefined) return { name, text };
  }
  return undefined;
}

/**
 * As `readFiles`; a link is followed to a file of the same tree. Rejects with `source/refused` for one that leads out of
 * it. The tar is read again only if a name is not found as a file.
 */
async function readLinked(
  open: Open,
  names: readonly string[],
  until?: string,
): Promise<Map<string, string>> {
  const links = new Map<string, string>();
  const found = await readFiles(await open(), names, { until, links });
  const targets = new Map<string, string>();
  for (const name of names) {
    const target = found.has(name) ? name : resolved(name, links);
    if (target !== name) targets.set(name, target);
  }
  if (targets.size === 0) return found;
  const behind = await readFiles(await open(), [...targets.values()]);
  for (const [name, target] of targets) {
    const text = behind.get(target);
    if (text !== undefined) found.set(name, text);
  }
  return found;
}

/** Where a path leads in the tree, through links of its folders too. */
function resolved(name: string, links: ReadonlyMap<string, string>): string {
  let path = name;
  for (let hops = 0; hops <= MAX_LINKS; hops += 1) {
    const parts = path.split('/');
    const ends = parts.map((_, at) => parts.slice(0, at + 1).join('/'));
    const at = ends.find((one) => links.has(one));
    if (at === undefined) return path;
    const rest = path.slice(at.length);
    const to = links.get(at) ?? '';
    path = posix.join(posix.dirname(at), to) + rest;
    if (to.startsWith('/') || path === '..' || path.startsWith('../'))
      throw new DavitError('source/refused', `${name} is a link that leads out of the repository.`, {
        hint: 'Link to a file of the repository, or put the file in place of the link.',
      });
    path = posix.normalize(path);
  }
  throw new DavitError('source/refused', `${name} is a link that leads to itself.`, {
    hint: 'Put a file in place of the link.',
  });
}
