/**
 * The one archive that is uploaded to `/` of a container before it starts: project, caches, artifacts of
 * needed jobs, davit's own files.
 *
 * Invariants:
 *  WS-1 No entry is outside of the project's directory and `/davit`, whatever names source or artifacts
 *       contain; devices are left out; a link is kept unchanged (its target is the container's own affair).
 *  WS-2 The source has open modes and belongs to root: an image with another user can read, write and delete (as
 *       GitLab's helper leaves it). Artifacts and caches keep their permissions and owners.
 *  WS-3 A cache overrides the source, an artifact overrides both, a later one overrides an earlier one;
 *       davit's files override all.
 *  WS-4 Streams: memory does not grow with the source. Entries and compression have limits.
 */
import { posix } from 'node:path';
import type { Readable } from 'node:stream';
import { type Header, type Pack, pack } from 'tar-stream';
import { DAVIT_DIR, filesDir } from './supervisor-script.ts';
import {
  FOLDER_MODE,
  openMode,
  put,
  putRawNames,
  rawNamesOf,
  type RawNames,
  type TarHeader,
} from '../../../src/utils/tar.ts';
import { type ArchiveLimits, denseError, entryCounter, gunzipped } from '../../runtime/archive-limits.ts';
import { bytesOf, eachEntry, MAX_ENTRIES, putFile } from '../../runtime/tar.ts';
import { inside } from '../../runtime/path-inside.ts';

export interface Workspace {
  projectDir: string;
  /** Tar, paths relative to the project. */
  source?: () => Promise<Readable>;
  /** Selects entries of the source; may throw. */
  takes?(path: string): boolean;
  /** tar.gz, packed like artifacts. */
  caches?: (() => Promise<Readable>)[];
  /** tar.gz, paths relative to the project, in order. */
  artifacts: (() => Promise<Readable>)[];
  /** By name, below `/davit`. */
  files: Record<string, string>;
  /** Limits of each cache and artifact. */
  limits: ArchiveLimits;
}
const PACKED = 'An artifact or a cache of this job';

/** The archive as a stream; an error of a part ends it with that error. */
export function workspaceTar(workspace: Workspace): Readable {
  const archive = pack();
  void fill(archive, workspace).then(
    () => archive.finalize(),
    (error: unknown) => archive.destroy(error instanceof Error ? error : new Error(String(error))),
  );
  return bytesOf(archive);
}

/** The archive in progress, and the directories in it. */
interface WorkspaceWriter {
  archive: Pack;
  root: string;
  seen: Set<string>;
}

async function fill(archive: Pack, workspace: Workspace): Promise<void> {
  const { projectDir, limits } = workspace;
  const filling = { archive, root: projectDir, seen: new Set<string>() };
  for (const path of [projectDir, filesDir(projectDir), DAVIT_DIR]) await directories(filling, path);
  if (workspace.source) {
    const each = entryCounter('The source', { ...limits, entries: MAX_ENTRIES });
    await addTar(filling, await workspace.source(), { each, takes: workspace.takes, open: true });
  }
  for (const zippedTar of [...(workspace.caches ?? []), ...workspace.artifacts]) {
    const zipped = await zippedTar();
    const tar = gunzipped(zipped, limits.ratio, () => denseError(PACKED, limits.ratio));
    await addTar(filling, tar, { each: entryCounter(PACKED, limits), open: false });
  }
  for (const [name, text] of Object.entries(workspace.files))
    await put(archive, { name: inTar(`${DAVIT_DIR}/${name}`), mode: 0o666, ...owned }, text);
}

/** Directories above a path, outermost first, without `/`. */
function parents(path: string): string[] {
  const above = posix.dirname(path);
  return above === '/' ? [] : [...parents(above), above];
}

const inTar = (path: string): string => path.replace(/^\/+/, '');
const owned = { uid: 0, gid: 0, uname: '', gname: '' };

/** A directory and its parents: an engine would create them accessible to root only. */
async function directories({ archive, seen }: WorkspaceWriter, path: string): Promise<void> {
  for (const step of [...parents(path), path]) {
    if (seen.has(step)) continue;
    seen.add(step);
    await put(archive, { name: `${inTar(step)}/`, type: 'directory', mode: 0o777, ...owned });
  }
}

interface Adding {
  each(): void;
  takes?: ((path: string) => boolean) | undefined;
  /** WS-2 */
  open: boolean;
}

/** Entries of a tar, with their paths below the project. */
const addTar = (writer: WorkspaceWriter, tar: Readable, adding: Adding): Promise<void> =>
  eachEntry(tar, async (entry, content) => {
    const { each, takes = () => true, open } = adding;
    each();
    const header = takes(inside(entry.name) ?? '') ? reroot(entry, writer.root, open) : undefined;
    if (!header) return;
    const raw = rawNamesOf(entry);
    if (header.type === 'directory' && !raw) return directory(writer, header, open);
    await directories(writer, `/${posix.dirname(header.name)}`);
    forget(writer.seen, `/${header.name}`);
    if (header.type === 'directory') writer.seen.add(`/${header.name.replace(/\/$/, '')}`);
    const named = raw ? putRawNames(writer.archive, header, below(writer.root, raw)) : header;
    if (header.type === 'file') await putFile(writer.archive, { ...named, size: header.size ?? 0 }, content);
    else await put(writer.archive, named);
  });

/** Names that are not UTF-8, below the project. `reroot` has accepted them: it sees the same slashes and dots. */
const below = (root: string, { name, linkname }: RawNames): RawNames => {
  // As `inside` cleans a path; its bytes are one character each here.
  const path = inside(name.toString('latin1')) ?? '';
  return {
    name: Buffer.concat([Buffer.from(`${inTar(root)}/`), Buffer.from(path, 'latin1')]),
    ...(linkname && { linkname }),
  };
};

/** One that keeps its permissions sets them, even if it was made before for what is in it. */
async function directory(writer: WorkspaceWriter, header: TarHeader, open: boolean): Promise<void> {
  const path = `/${header.name.replace(/\/$/, '')}`;
  if (open || path === writer.root) return directories(writer, path);
  await directories(writer, posix.dirname(path));
  writer.seen.add(path);
  await put(writer.archive, header);
}

/**
 * A directory that is replaced by a link or file is removed from the list: an entry below that path creates
 * it again, and the engine replaces the link by a directory. Otherwise it would follow the link.
 */
function forget(seen: Set<string>, path: string): void {
  if (!seen.has(path)) return;
  for (const one of seen) if (one === path || one.startsWith(`${path}/`)) seen.delete(one);
}

/** Undefined: the entry is left out. `open`: WS-2. */
export function reroot(header: Header, root: string, open = true): TarHeader | undefined {
  const path = inside(header.name);
  if (path === undefined) return undefined;
  // The project's own directory is never a link.
  if (path === '' && (header.type === 'symlink' || header.type === 'link')) return undefined;
  const name = inTar(path === '' ? root : `${root}/${path}`);
  const owner = open ? owned : { ...owned, uid: header.uid, gid: header.gid };
  const common = { name, ...owner, mtime: header.mtime };
  const kept = (header.mode ?? 0) & 0o777;
  switch (header.type) {
    case 'directory':
      return { ...common, name: `${name}/`, type: 'directory', mode: open ? FOLDER_MODE : kept };
    case 'symlink':
      return { ...common, type: 'symlink', linkname: header.linkname, mode: 0o777 };
    case 'link': {
      const target = inside(header.linkname ?? '');
      if (!target) return undefined;
      return { ...common, type: 'link', linkname: inTar(`${root}/${target}`), mode: open ? 0o666 : kept };
    }
    case 'file':
    case 'contiguous-file':
    case null:
    case undefined:
      return { ...common, type: 'file', size: header.size, mode: open ? openMode(kept) : kept };
    default:
      return undefined;
  }
}
