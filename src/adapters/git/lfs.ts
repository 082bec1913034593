/**
 * Puts the objects of Git LFS into a checkout in place of their pointers, without git-lfs. The server is that of the
 * project's own address; what it says about objects is in `lfs-server.ts`.
 *
 *   LFS-4 No other server is asked, whatever `.lfsconfig` of the commit says: people of a fork write it. It may lead to
 *         the LFS server of another repository there, and to nothing else: the forge's other interfaces take the same token.
 *   LFS-5 The sum of the sizes is known before the first byte is fetched, and bounded. An object counts for each file that
 *         has it, because each takes the space.
 *   LFS-6 A checkout has all of its objects, or the fetch of the source fails.
 */
import { chmod, copyFile, mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DavitError } from '../../errors.ts';
import type { LfsRequest } from '../ports.ts';
import { keepClean, pointersIn, type LfsPointer } from './lfs-pointers.ts';
import { LfsServer, type LfsServerOptions } from './lfs-server.ts';
import type { InRepo } from './repository.ts';
import type { CheckedUrl } from './validate.ts';

/** Objects that one request asks for: their addresses expire. */
const BATCH = 50;
const AT_ONCE = 4;

export interface LfsContext extends Omit<LfsServerOptions, 'url'> {
  /** The project's own address. */
  home: CheckedUrl;
  /** Where the repository is. */
  folder: string;
  inRepo: InRepo;
  /** Empty folder on the same disk. */
  temp: string;
  request: LfsRequest;
}

/** False: objects come over https alone, and this repository's address is another one. */
export const hasLfsServer = ({ protocol }: CheckedUrl): boolean =>
  protocol === 'https' || protocol === 'http';

/** Rejects with `git/lfs`, `git/denied` and `git/unreachable`. */
export async function fetchLfs(context: LfsContext): Promise<void> {
  const { folder, inRepo, temp, home, request } = context;
  const { pointers, unreadable } = await pointersIn(folder, inRepo);
  if (unreadable.length > 0)
    throw new DavitError('git/lfs', `Git LFS: the name of ${unreadable[0] ?? ''} is not UTF-8.`);
  if (pointers.length === 0) return;
  const objects = [...new Map(pointers.map((one) => [one.oid, one])).values()];
  const bytes = pointers.reduce((sum, { size }) => sum + size, 0);
  if (bytes > request.maxBytes)
    throw new DavitError(
      'git/lfs',
      `Git LFS: the objects of this commit have ${bytes} bytes, and limits.lfs_bytes allows ${request.maxBytes}.`,
      {
        hint: 'GIT_LFS_SKIP_SMUDGE: "1" leaves the pointers; `git lfs pull --include=…` in the script fetches some of them.',
      },
    );
  const url = await serverOf(home, inRepo);
  const server = new LfsServer({ ...context, url });
  await mkdir(temp);
  try {
    for (let at = 0; at < objects.length; at += BATCH) {
      const downloads = await server.find(objects.slice(at, at + BATCH));
      await eachOf(downloads, (download) => server.fetch(download, join(temp, download.oid)));
    }
    await placeAll(pointers, { folder, temp });
    await keepClean(
      inRepo,
      pointers.map(({ path }) => path),
    );
  } finally {
    await server.close();
    await rm(temp, { recursive: true, force: true });
  }
}

/** LFS-4: an address in `.lfsconfig` counts only on the project's own host. */
async function serverOf(home: CheckedUrl, inRepo: InRepo): Promise<string> {
  const usual = `${home.url.replace(/\/+$/, '').replace(/\.git$/, '')}.git/info/lfs`;
  const named = await inRepo('config', '--blob=HEAD:.lfsconfig', '--get', 'lfs.url');
  const url = named.code === 0 ? named.stdout.trim().replace(/\/+$/, '') : '';
  if (url === '') return usual;
  const { origin } = new URL(usual);
  if (URL.canParse(url) && isLfsServer(new URL(url), origin)) return new URL(url).href;
  throw new DavitError(
    'git/lfs',
    "Git LFS: .lfsconfig names no LFS server of a repository on the project's own host.",
    {
      hint: 'GIT_LFS_SKIP_SMUDGE: "1" leaves the pointers, and `git lfs pull` in the script fetches the objects.',
    },
  );
}

const isLfsServer = (url: URL, origin: string): boolean =>
  url.origin === origin &&
  `${url.username}${url.password}${url.search}${url.hash}` === '' &&
  !/[?#]/.test(url.href) &&
  /^\/[^%;]+\/info\/lfs$/.test(url.pathname);

async function eachOf<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const left = [...items];
  const next = async (): Promise<void> => {
    for (let item = left.shift(); item !== undefined; item = left.shift())
      try {
        await work(item);
      } catch (error) {
        left.length = 0; // the others end with what they have begun
        throw error;
      }
  };
  const ends = await Promise.allSettled(Array.from({ length: AT_ONCE }, next));
  const failed = ends.find((end) => end.status === 'rejected');
  if (failed) throw failed.reason;
}

/** Several files may be one object: the last takes it. */
async function placeAll(
  pointers: readonly LfsPointer[],
  { folder, temp }: Pick<LfsContext, 'folder' | 'temp'>,
): Promise<void> {
  const last = new Map(pointers.map(({ oid, path }) => [oid, path]));
  for (const { oid, path, mode } of pointers) {
    const object = join(temp, oid);
    const file = last.get(oid) === path ? object : `${object}.copy`;
    if (file !== object) await copyFile(object, file);
    await chmod(file, mode & 0o777);
    await rename(file, join(folder, path));
  }
}
