/**
 * Role: collects the artifacts of an ended container into one tar.gz blob.
 *
 * Invariants:
 *  ART-1 Names in the archive are relative to the project and never leave it; links stay links. What is selected behind a
 *        link to a folder is walked as GitLab does (linked-folders.ts).
 *  ART-2 At most `artifact_bytes` of content; more fails the job (`job/artifacts`). At most
 *        `archive_entries` entries, and `archive_ratio` bytes of content a packed byte (`archive/limit`).
 *  ART-3 Streams: nothing is held entirely in memory or on the worker's disk.
 *  ART-4 Permissions and owners stay as they are.
 */
import { posix } from 'node:path';
import type { Header } from 'tar-stream';
import type { Engine } from '../../../src/adapters/ports.ts';
import type { Digest } from '../../../src/plan/model/ids.ts';
import type { ArtifactRef } from '../../../src/plan/model/outcome.ts';
import type { ArtifactsSpec } from '../../../src/plan/model/spec.ts';
import { Archive, type ArchiveOptions } from './archive.ts';
import { type Selection, selectFiles, withParents } from './artifact-globs.ts';
import { addLinkedFolders, type Collecting, type FoundLink } from './linked-folders.ts';
import { eachEntry } from '../../runtime/tar.ts';
import { inside } from '../../runtime/path-inside.ts';

export interface CollectRequest extends ArchiveOptions {
  engine: Engine;
  container: string;
  projectDir: string;
  source: Digest;
  spec: ArtifactsSpec;
}
export interface CollectedArtifacts {
  artifact?: ArtifactRef;
  warnings: string[];
}

/** If nothing matches, returns a warning. Rejects with `job/artifacts` or `archive/limit`. */
export async function collectArtifacts(request: CollectRequest): Promise<CollectedArtifacts> {
  const { spec, projectDir } = request;
  const selection = selectFiles(projectDir, spec.paths, spec.exclude);
  const untracked = spec.untracked ? new Untracked(await trackedFiles(request), selection) : undefined;
  const archive = new Archive(request);
  const warnings: string[] = [];
  const matched = new Set<number>();
  const folders = new Set<string>();
  const collecting: Collecting = { request, selection, archive, matched, warnings, folders, hardLinks: [] };
  const links: FoundLink[] = [];
  try {
    for (const base of untracked ? [''] : selection.bases)
      await eachFile(request, base, async (path, header, content) => {
        if (header.type === 'symlink') links.push({ path, header });
        if (header.type === 'directory') folders.add(path);
        const by = selection.chosenBy(path, header.type === 'directory');
        for (const index of by) matched.add(index);
        if (by.length === 0 && !untracked?.has(path, header)) return;
        if (header.type === 'link') archive.checkEntries(collecting.hardLinks.push({ path, place: path }));
        else await archive.add(path, header, content);
      });
    await addLinkedFolders(collecting, links);
    // A hard link comes without content; if requested alone, it comes as a file.
    for (const { path, place } of collecting.hardLinks)
      await eachFile(request, path, (_, header, content) => archive.add(place, header, content));
  } catch (error) {
    throw await archive.abort(error);
  }
  const artifact = await archive.finish(spec.expireInMs);
  const from = { selection, matched, any: artifact !== undefined, what: request.what ?? 'artifacts' };
  return { artifact, warnings: [...warningsOf(from), ...warnings] };
}

function warningsOf({
  selection,
  matched,
  any,
  what,
}: {
  selection: Selection;
  matched: ReadonlySet<number>;
  any: boolean;
  what: string;
}): string[] {
  const { patterns, refused, invalid } = selection;
  const none = patterns.filter((path, index) => !matched.has(index) && !invalid.includes(path));
  return [
    ...refused.map((path) => `${what}: ${path} is not in the project's directory; left out.`),
    ...invalid.map((path) => `${what}: ${path} is not a valid pattern; left out.`),
    ...none.map((path) => `${what}: ${path}: no matching files.`),
    ...(any || none.length > 0 ? [] : [`${what}: there is nothing to keep.`]),
  ];
}

type Visit = (path: string, header: Header, content: AsyncIterable<unknown>) => Promise<void>;

/** Every entry below a path of the project, by its name relative to the project. */
export async function eachFile(
  { engine, container, projectDir }: Pick<CollectRequest, 'engine' | 'container' | 'projectDir'>,
  base: string,
  visit: Visit,
): Promise<void> {
  const tar = await engine.download(container, base === '' ? projectDir : `${projectDir}/${base}`);
  if (!tar) return;
  const above = base === '' ? undefined : posix.dirname(base);
  await eachEntry(tar, async (header, content) => {
    // The engine names entries starting with the last part of the requested path.
    const name =
      above === undefined ? header.name.split('/').slice(1).join('/') : posix.join(above, header.name);
    const path = inside(name);
    if (path) await visit(path, header, content);
  });
}

async function trackedFiles({ blobs, source }: CollectRequest): Promise<Set<string>> {
  const names = new Set<string>();
  await eachEntry(await blobs.getStream(source), async (header) => {
    names.add(inside(header.name) ?? '');
  });
  return names;
}

/** As `git ls-files --others` has it: ignored files too, and no files of another repository inside of this one. */
class Untracked {
  readonly #tracked: ReadonlySet<string>;
  readonly #selection: Selection;
  readonly #repositories = new Set<string>();

  constructor(tracked: ReadonlySet<string>, selection: Selection) {
    this.#tracked = tracked;
    this.#selection = selection;
  }

  has(path: string, header: Header): boolean {
    if (/^\.git(\/|$)/.test(path) || this.#tracked.has(path)) return false;
    if (path.endsWith('/.git')) this.#repositories.add(posix.dirname(path));
    if (withParents(path).some((one) => one !== path && this.#repositories.has(one))) return false;
    return header.type !== 'directory' && !this.#selection.excludes(path);
  }
}
