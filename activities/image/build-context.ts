/**
 * The context of a build: the source and the artifacts of needed jobs as one stream, relative to the
 * context's folder, without the files that `.dockerignore` excludes. Nothing is unpacked on the worker's
 * disk.
 */
import { posix } from 'node:path';
import type { Readable } from 'node:stream';
import { pack, type Pack } from 'tar-stream';
import type { BlobStore } from '../../src/adapters/ports.ts';
import { DavitError } from '../../src/errors.ts';
import type { Digest } from '../../src/plan/model/ids.ts';
import { dockerIgnore } from '../../src/match/dockerignore.ts';
import { put, type TarHeader } from '../../src/utils/tar.ts';
import { bytesOf, entries, putFile, readFiles, refused, type TarEntry } from '../runtime/tar.ts';

export interface ContextRequest {
  /** Blobs, the source first; later ones overwrite earlier ones. */
  tars: readonly Digest[];
  /** Relative to the project. */
  context: string;
  /** Relative to the context, or otherwise to the project. */
  dockerfile: string;
}
export interface BuildContext {
  tar: Readable;
  /** Name of the Dockerfile in the tar. */
  dockerfile: string;
  /** Content of the Dockerfile. */
  text: string;
}
/** Name in the tar of a Dockerfile that is outside of its context. */
const OUTSIDE = '.dockerfile.davit';

/** Rejects with `build/no-dockerfile`, or `source/refused`. Destroying `tar` stops all reading. */
export async function buildContext(blobs: BlobStore, request: ContextRequest): Promise<BuildContext> {
  const root = clean(request.context);
  const inContext = join(root, clean(request.dockerfile));
  const inProject = clean(request.dockerfile);
  const wanted = [inContext, inProject].flatMap((path) => [path, `${path}.dockerignore`]);
  const found = new Map<string, string>();
  for (const digest of request.tars)
    for (const [path, text] of await readFiles(await blobs.getStream(digest), [
      ...wanted,
      join(root, '.dockerignore'),
    ]))
      found.set(path, text);
  const file = found.has(inContext) ? inContext : inProject;
  const text = found.get(file);
  if (text === undefined)
    throw new DavitError('build/no-dockerfile', `The source has no ${inContext}.`, {
      hint: 'Name it in `build.dockerfile`, relative to the context or to the project.',
    });
  const name = below(root, file);
  const ignored = dockerIgnore(
    found.get(`${file}.dockerignore`) ?? found.get(join(root, '.dockerignore')) ?? '',
  );
  const leaveOut = (path: string): boolean => path !== name && path !== '.dockerignore' && ignored(path);
  const tar = pack();
  fill(blobs, tar, {
    tars: request.tars,
    root,
    leaveOut,
    extra: name === undefined ? text : undefined,
    // The reader sees the error.
  }).catch((error: unknown) => tar.destroy(toError(error)));
  return { tar: bytesOf(tar), dockerfile: name ?? OUTSIDE, text };
}

interface Fill {
  tars: readonly Digest[];
  root: string;
  leaveOut(path: string): boolean;
  extra: string | undefined;
}

async function fill(blobs: BlobStore, tar: Pack, content: Fill): Promise<void> {
  for (const digest of content.tars)
    for await (const entry of entries(await blobs.getStream(digest))) {
      const path = below(content.root, entry.path);
      if (path !== undefined && path !== '' && !content.leaveOut(path))
        await copy(tar, path, { entry, root: content.root });
    }
  if (content.extra !== undefined) await put(tar, { name: OUTSIDE, mode: 0o644 }, content.extra);
  tar.finalize();
}

async function copy(tar: Pack, path: string, from: { entry: TarEntry; root: string }): Promise<void> {
  const { header, body } = from.entry;
  const { type, mode, mtime, size, linkname } = header;
  const base: TarHeader = { name: path, type, mode, mtime, uid: 0, gid: 0, uname: 'root', gname: 'root' };
  if (type === 'file') return putFile(tar, { ...base, size: size ?? 0 }, body);
  if (type === 'directory') return put(tar, { ...base, name: `${path}/` });
  if (type === 'symlink') return put(tar, { ...base, linkname });
  if (type === 'link') {
    const target = below(from.root, clean(linkname ?? ''));
    if (target === undefined) throw refused(`${path} is a hard link out of the build context.`);
    return put(tar, { ...base, linkname: target });
  }
  // Devices and pipes do not belong in a context.
}

const clean = (path: string): string => {
  const text = posix.normalize(`/${path}`).slice(1).replace(/\/$/, '');
  return text;
};
const join = (root: string, path: string): string => (root === '' ? path : `${root}/${path}`);
/** The path relative to `root`; undefined if it is outside. */
function below(root: string, path: string): string | undefined {
  if (root === '') return path;
  if (path === root) return '';
  return path.startsWith(`${root}/`) ? path.slice(root.length + 1) : undefined;
}
const toError = (error: unknown): Error => (error instanceof Error ? error : new Error('packing failed'));
