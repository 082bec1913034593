/** A tree of files in memory, as a container has it, and an engine that gives it as tars. */
import { posix } from 'node:path';
import { Readable } from 'node:stream';
import { pack, type Pack } from 'tar-stream';
import type { Engine } from '../../src/adapters/ports.ts';
import { put } from '../../src/utils/tar.ts';

export type Node =
  | { kind: 'file'; text: string; mode: number; uid: number }
  | { kind: 'folder'; mode: number; uid: number; names: Map<string, Node> }
  | { kind: 'link'; to: string };
export type Folder = Extract<Node, { kind: 'folder' }>;

export const folder = (mode = 0o755, uid = 0): Folder => ({ kind: 'folder', mode, uid, names: new Map() });

const MAX_HOPS = 40;
const namesOf = (path: string): string[] => path.split('/').filter((name) => name !== '' && name !== '.');

export class FileTree {
  readonly root = folder();

  /** Makes missing folders; what is no folder on the way is replaced by one, as an engine does with a tar of davit. */
  put(path: string, node: Node): void {
    const names = namesOf(path);
    const last = names.pop();
    let at = this.root;
    for (const name of names) {
      const next = at.names.get(name);
      const made = next?.kind === 'folder' ? next : folder(0o777);
      at.names.set(name, made);
      at = made;
    }
    if (last === undefined) return;
    const there = at.names.get(last);
    if (there?.kind === 'folder' && node.kind === 'folder')
      Object.assign(there, { mode: node.mode, uid: node.uid });
    else at.names.set(last, node);
  }

  /** Where a path really is; undefined if it is not there. `last`: follows a link at its end. */
  real(path: string, last: boolean, hops = 0): string | undefined {
    if (hops > MAX_HOPS) return undefined;
    let at: Node = this.root;
    let here = '/';
    const names = namesOf(path);
    for (const [index, name] of names.entries()) {
      if (at.kind !== 'folder') return undefined;
      if (name === '..') {
        here = posix.dirname(here);
        const up = this.node(here);
        if (!up) return undefined;
        at = up;
        continue;
      }
      const next: Node | undefined = at.names.get(name);
      if (!next) return undefined;
      const isLast = index === names.length - 1;
      if (next.kind === 'link' && (!isLast || last)) {
        const rest = names.slice(index + 1).join('/');
        const target = next.to.startsWith('/') ? next.to : `${here}/${next.to}`;
        return this.real(rest === '' ? target : `${target}/${rest}`, last, hops + 1);
      }
      here = posix.join(here, name);
      at = next;
    }
    return here;
  }

  /** The node at a real path. */
  node(real: string): Node | undefined {
    let at: Node | undefined = this.root;
    for (const name of namesOf(real)) at = at?.kind === 'folder' ? at.names.get(name) : undefined;
    return at;
  }
  lstat(path: string): Node | undefined {
    const real = this.real(path, false);
    return real === undefined ? undefined : this.node(real);
  }
  stat(path: string): Node | undefined {
    const real = this.real(path, true);
    return real === undefined ? undefined : this.node(real);
  }
  /** Names in a folder or a linked one, as an engine sorts them. */
  list(path: string): string[] {
    const found = this.stat(path);
    return found?.kind === 'folder' ? [...found.names.keys()].sort() : [];
  }
}

/** `GET /containers/…/archive`: links on the way are followed, the last name is not unless `/.` is behind it. */
export const treeEngine = (tree: FileTree): Engine => {
  const download: Engine['download'] = (_, path) => {
    const follows = path.endsWith('/.');
    const real = tree.real(path, follows);
    const node = real === undefined ? undefined : tree.node(real);
    if (!node || (follows && node.kind !== 'folder')) return Promise.resolve(undefined);
    const tar = pack();
    write(tar, node, follows ? '.' : posix.basename(path)).then(
      () => tar.finalize(),
      (error: unknown) => tar.destroy(error instanceof Error ? error : undefined),
    );
    return Promise.resolve(Readable.from(tar, { objectMode: false }));
  };
  return { download } as Partial<Engine> as Engine;
};

async function write(tar: Pack, node: Node, name: string): Promise<void> {
  if (node.kind === 'link') return put(tar, { name, type: 'symlink', linkname: node.to });
  const { mode, uid } = node;
  if (node.kind === 'file') return put(tar, { name, mode, uid, gid: uid }, node.text);
  await put(tar, { name: `${name}/`, type: 'directory', mode, uid, gid: uid });
  for (const child of [...node.names.keys()].sort()) {
    const next = node.names.get(child);
    if (next) await write(tar, next, `${name}/${child}`);
  }
}
