/**
 * Role: collects what patterns select behind links to folders: `link/*.txt`, `**\/*.txt`. GitLab's runner walks such a
 * link as if it were the folder.
 *
 * Invariants:
 *  LINKED-1 A link that is selected itself stays a link. What is selected behind it is put where it leads to, if that is
 *           in the project, and else in a folder in the link's place: either way it is found under the name that GitLab
 *           gives it. Behind a link that is not selected, files are in a folder of its name.
 *  LINKED-2 It ends: a folder is not entered from within itself, and what is read counts against `archive_entries`.
 */
import { posix } from 'node:path';
import type { Header } from 'tar-stream';
import { eachEntry } from '../../runtime/tar.ts';
import { inside } from '../../runtime/path-inside.ts';
import type { Archive } from './archive.ts';
import type { Selection } from './artifact-globs.ts';
import type { CollectRequest } from './artifacts.ts';

/** A link that the first pass has seen, by its name relative to the project. */
export interface FoundLink {
  path: string;
  header: Header;
}
export interface Collecting {
  request: CollectRequest;
  selection: Selection;
  archive: Archive;
  /** Indexes of patterns that have selected something. */
  matched: Set<number>;
  warnings: string[];
  /** Folders that the first pass has seen. */
  folders: Set<string>;
  /** Read again at the end: only the first name of a file comes with its content. */
  hardLinks: { path: string; place: string }[];
}

/** A link on the way, as it is named, where it is put, and where it really is. */
interface Step extends FoundLink {
  place: string;
  real: string;
  /** Folders that were entered on the way here. */
  entered: readonly string[];
  /** Number of names up to the last link before this one. */
  behind: number;
}

/** More than that only a loop of links makes; the kernel stops there too. */
const MAX_LINKS = 40;

export async function addLinkedFolders(collecting: Collecting, links: readonly FoundLink[]): Promise<void> {
  const { projectDir } = collecting.request;
  const walk = new Walk(
    collecting,
    new Map(links.map((link) => [`${projectDir}/${link.path}`, link.header])),
  );
  for (const link of links) {
    const real = `${projectDir}/${link.path}`;
    await walk.follow({ ...link, place: link.path, real, entered: [posix.dirname(real)], behind: 0 });
  }
}

class Walk {
  readonly #of: Collecting;
  /** Links by where they really are. */
  readonly #links: ReadonlyMap<string, Header>;
  readonly #placed = new Set<string>();
  #read = 0;
  #told = false;

  constructor(of: Collecting, links: ReadonlyMap<string, Header>) {
    this.#of = of;
    this.#links = links;
  }

  async follow(link: Step): Promise<void> {
    const { selection, request } = this.#of;
    if (!selection.leadsBelow(link.path)) return;
    const target = this.#resolved(posix.resolve(posix.dirname(link.real), link.header.linkname ?? ''));
    if (target === undefined || link.entered.length > MAX_LINKS) return;
    if (this.#isKnownFile(target)) return;
    // It leads back, so it is a folder, and the link may be selected for that.
    if (link.entered.some((folder) => isInside(folder, target)))
      return void (await this.#placeOf(link, target));
    const tar = await request.engine.download(request.container, `${request.projectDir}/${link.path}/.`);
    if (!tar) return;
    const place = await this.#placeOf(link, target);
    const behind = link.path.split('/').length;
    const more: Step[] = [];
    await eachEntry(tar, async (header, content) => {
      const name = inside(header.name);
      if (!name || !this.#mayRead()) return;
      const at = { path: `${link.path}/${name}`, place: `${place}/${name}`, real: `${target}/${name}` };
      if (header.type === 'symlink')
        more.push({ ...at, header, entered: [...link.entered, posix.dirname(at.real)], behind });
      await this.#add({ ...at, behind }, header, content);
    });
    for (const next of more) await this.follow(next);
  }

  /** Most links lead to files, and asking the engine about each takes its time. */
  #isKnownFile(target: string): boolean {
    const { request, selection, folders } = this.#of;
    if (!isInside(target, request.projectDir)) return false;
    const path = target.slice(request.projectDir.length + 1);
    const wasRead = selection.bases.some((base) => base === '' || isInside(path, base));
    return wasRead && path !== '' && !folders.has(path);
  }

  /** LINKED-1. The folder that the content of a linked folder is put into. */
  async #placeOf(link: Step, target: string): Promise<string> {
    const { selection, archive, request, matched } = this.#of;
    const by = selection.chosenBy(link.path, true, link.behind);
    for (const index of by) matched.add(index);
    if (by.length === 0) return link.place;
    // `link/**` selects the link because it leads to a folder, which was not known before.
    if (selection.chosenBy(link.path, false, link.behind).length === 0)
      await archive.add(link.place, link.header, nothing());
    // As the link reads where it is put; another link on the way may not be selected.
    const read = posix.resolve(request.projectDir, posix.dirname(link.place), link.header.linkname ?? '');
    return read === target && target.startsWith(`${request.projectDir}/`)
      ? target.slice(request.projectDir.length + 1)
      : link.place;
  }

  async #add(
    { path, place, behind }: Pick<Step, 'path' | 'place' | 'behind'>,
    header: Header,
    content: AsyncIterable<unknown>,
  ): Promise<void> {
    const { selection, archive, matched, hardLinks } = this.#of;
    const isFolder = header.type === 'directory';
    const by = selection.chosenBy(path, isFolder, behind);
    for (const index of by) matched.add(index);
    if (by.length === 0 || this.#placed.has(place)) return;
    // The first pass has put it there.
    if (place !== path && selection.chosenBy(place, isFolder).length > 0) return;
    this.#placed.add(place);
    if (header.type === 'link') archive.checkEntries(hardLinks.push({ path, place }));
    else await archive.add(place, header, content);
  }

  /** LINKED-2 */
  #mayRead(): boolean {
    this.#read += 1;
    const { entries } = this.#of.request.limits;
    if (this.#read <= entries) return true;
    const what = this.#of.request.what ?? 'artifacts';
    if (!this.#told)
      this.#of.warnings.push(
        `${what}: links to folders lead to more than ${entries} files; the rest is left out.`,
      );
    this.#told = true;
    return false;
  }

  /** Where a path really is, as far as the first pass has seen links. Undefined: links lead in a circle. */
  #resolved(path: string, hops = 0): string | undefined {
    const names = path.split('/').slice(1);
    for (let length = 1; length <= names.length; length += 1) {
      const before = `/${names.slice(0, length).join('/')}`;
      const link = this.#links.get(before);
      if (!link) continue;
      if (hops === MAX_LINKS) return undefined;
      const target = posix.resolve(posix.dirname(before), link.linkname ?? '');
      return this.#resolved(posix.join(target, ...names.slice(length)), hops + 1);
    }
    return path;
  }
}

const isInside = (path: string, folder: string): boolean =>
  path === folder || path.startsWith(folder === '/' ? folder : `${folder}/`);

async function* nothing(): AsyncGenerator<never> {}
