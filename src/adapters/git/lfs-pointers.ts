/** Which files of a checkout are pointers of Git LFS, and what they point at. The form is that of git-lfs's specification. */
import { lstat, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expectOk } from './git-errors.ts';
import type { InRepo } from './repository.ts';

export interface LfsObject {
  /** SHA-256 of the content, hex. */
  oid: string;
  size: number;
}
export interface LfsPointer extends LfsObject {
  /** In the checkout. */
  path: string;
  mode: number;
}

/** git-lfs reads no more of a file to find out. */
const MAX_POINTER_BYTES = 1_024;
const VERSIONS = /^version https:\/\/(?:git-lfs\.github\.com\/spec|hawser\.github\.com\/spec)\/v1\n/;

/** Undefined: it is a file like any other. */
export function parsePointer(text: string): LfsObject | undefined {
  if (!VERSIONS.test(text)) return undefined;
  const oid = /^oid sha256:([0-9a-f]{64})$/m.exec(text)?.[1];
  const size = /^size (\d{1,15})$/m.exec(text)?.[1];
  return oid === undefined || size === undefined ? undefined : { oid, size: Number(size) };
}

/**
 * Pointers among the tracked files that .gitattributes gives to LFS. `unreadable`: files whose names are not UTF-8, which
 * may be some.
 */
export async function pointersIn(
  folder: string,
  inRepo: InRepo,
): Promise<{ pointers: LfsPointer[]; unreadable: string[] }> {
  const listed = await expectOk(inRepo('ls-files', '-z', '--', ':(attr:filter=lfs)'));
  const paths = listed.split('\0').filter((path) => path !== '');
  const pointers: LfsPointer[] = [];
  for (const path of paths.filter(isText)) {
    const file = join(folder, path);
    const found = await lstat(file);
    if (!found.isFile() || found.size > MAX_POINTER_BYTES) continue;
    const object = parsePointer(await readFile(file, 'utf8'));
    if (object) pointers.push({ ...object, path, mode: found.mode });
  }
  return { pointers, unreadable: paths.filter((path) => !isText(path)) };
}

const isText = (path: string): boolean => !path.includes('\uFFFD');

const AT_ONCE = 200;

/** The content of a pointer is not what the index says: without this, git calls the checkout dirty. */
export async function keepClean(inRepo: InRepo, paths: readonly string[]): Promise<void> {
  for (let at = 0; at < paths.length; at += AT_ONCE)
    await expectOk(inRepo('update-index', '--assume-unchanged', '--', ...paths.slice(at, at + AT_ONCE)));
}
