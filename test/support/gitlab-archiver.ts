/**
 * What GitLab's runner puts into an artifact: its rules written down once more over a tree in memory, name by name and character
 * by character, without any code of the product. One difference is davit's own: a folder is not entered from within itself
 * through a link, which the runner does up to 40 times.
 */
import { posix } from 'node:path';
import type { FileTree } from './file-tree.ts';

export interface Wanted {
  paths: readonly string[];
  exclude: readonly string[];
  /** Files that git knows; undefined: `untracked` is not asked for. */
  tracked?: ReadonlySet<string>;
}

/** Selected paths, relative to the project. */
export function gitlabFiles(tree: FileTree, project: string, wanted: Wanted): Set<string> {
  const selected = new Set<string>();
  const excluded = wanted.exclude.map((text) => inProject(project, text) ?? '');
  const take = (path: string): void => {
    if (excluded.some((pattern) => pattern !== '' && matchesWhole(pattern, path))) return;
    if (tree.lstat(`${project}/${path}`)) selected.add(path);
  };
  const all = (path: string, use: (path: string) => void): void => {
    use(path);
    if (tree.lstat(`${project}/${path}`)?.kind !== 'folder') return;
    for (const name of tree.list(`${project}/${path}`)) all(posix.join(path, name), use);
  };
  for (const text of wanted.paths) {
    const pattern = text === '' ? undefined : inProject(project, text);
    if (pattern === undefined) continue;
    for (const match of globbed(tree, project, pattern)) all(match, take);
  }
  const { tracked } = wanted;
  if (tracked)
    all('.', (path) => {
      const isFolder = tree.lstat(`${project}/${path}`)?.kind === 'folder';
      if (!isFolder && !tracked.has(path)) take(path);
    });
  selected.delete('.');
  return selected;
}

const hasMeta = (text: string): boolean => /[*?[{]/.test(text);

function inProject(project: string, text: string): string | undefined {
  let base = text;
  let rest = '';
  if (hasMeta(text)) {
    const plain = /^(?:\\[^]|[^\\*?[{])*/.exec(text)?.[0] ?? '';
    const slash = plain.lastIndexOf('/');
    base = slash === -1 ? '.' : text.slice(0, slash) || '/';
    rest = text.slice(slash + 1);
  }
  const relative = posix.relative(project, posix.resolve(project, base)) || '.';
  if (relative === '..' || relative.startsWith('../')) return undefined;
  const joined = posix.join(relative, rest);
  return joined === '/' || joined === './' ? '.' : joined.replace(/\/$/, '');
}

function globbed(tree: FileTree, project: string, pattern: string): Set<string> {
  const found = new Set<string>();
  if (!isValid(pattern)) return found;
  if (!hasMeta(pattern)) {
    const name = pattern.replaceAll('\\]', ']').replaceAll('\\}', '}');
    if (tree.lstat(`${project}/${name}`)) found.add(name);
    return found;
  }
  for (const one of expanded(pattern)) new Globber(tree, project, found).walk('.', one.split('/'), []);
  return found;
}

class Globber {
  readonly #tree: FileTree;
  readonly #project: string;
  readonly #found: Set<string>;

  constructor(tree: FileTree, project: string, found: Set<string>) {
    this.#tree = tree;
    this.#project = project;
    this.#found = found;
  }

  walk(at: string, [first = '', ...rest]: readonly string[], on: readonly string[]): void {
    const entered = this.#enter(at, on);
    // Each `**` also stands for no name, whether or not the folder is entered.
    const isEnd = first === '**' && rest.every((one) => one === '**');
    if (isEnd && this.#isFolder(at)) this.#found.add(at);
    if (!entered) return;
    if (first === '**') {
      if (rest.length > 0) this.walk(at, rest, on);
      for (const name of this.#tree.list(this.#path(at))) {
        const path = posix.join(at, name);
        if (this.#isFolder(path)) this.walk(path, ['**', ...rest], entered);
        else if (rest.length === 0) this.#found.add(path);
      }
      return;
    }
    for (const name of this.#tree.list(this.#path(at))) {
      if (!matchesWhole(first, name)) continue;
      const path = posix.join(at, name);
      if (rest.length === 0) this.#found.add(path);
      else if (this.#isFolder(path)) this.walk(path, rest, entered);
    }
  }

  /** The real folders on the way; undefined if this one is a link that leads back. */
  #enter(at: string, on: readonly string[]): readonly string[] | undefined {
    const real = this.#tree.real(this.#path(at), true) ?? '';
    if (this.#tree.stat(this.#path(at))?.kind !== 'folder') return undefined;
    const isLink = this.#tree.lstat(this.#path(at))?.kind === 'link';
    if (isLink && on.some((before) => before === real || before.startsWith(real === '/' ? real : `${real}/`)))
      return undefined;
    return on.at(-1) === real ? on : [...on, real];
  }

  #isFolder = (path: string): boolean => this.#tree.stat(this.#path(path))?.kind === 'folder';
  #path = (path: string): string => posix.join(this.#project, path);
}

function isValid(pattern: string): boolean {
  let depth = 0;
  for (let at = 0; at < pattern.length; at += 1) {
    const sign = pattern[at];
    if (sign === '\\') {
      at += 1;
      if (at >= pattern.length) return false;
    } else if (sign === '[') {
      at += 1;
      if (pattern[at] === '^' || pattern[at] === '!') at += 1;
      if (at >= pattern.length || pattern[at] === ']') return false;
      for (; at < pattern.length && pattern[at] !== ']'; at += 1) if (pattern[at] === '\\') at += 1;
      if (at >= pattern.length) return false;
    } else if (sign === '{') depth += 1;
    else if (sign === '}') {
      depth -= 1;
      if (depth < 0) return false;
    }
  }
  return depth === 0;
}

/** One `{…}` after the other, from the left. */
function expanded(pattern: string): string[] {
  for (let at = 0; at < pattern.length; at += 1) {
    if (pattern[at] === '\\') at += 1;
    else if (pattern[at] === '[') at = classEnd(pattern, at);
    else if (pattern[at] === '{') {
      const texts = [''];
      let depth = 1;
      let end = at + 1;
      for (; depth > 0; end += 1) {
        const sign = pattern[end] ?? '';
        if (sign === '\\') {
          texts.push(`${texts.pop() ?? ''}${sign}${pattern[end + 1] ?? ''}`);
          end += 1;
          continue;
        }
        if (sign === '{') depth += 1;
        if (sign === '}') depth -= 1;
        if (sign === ',' && depth === 1) texts.push('');
        else if (depth > 0) texts.push(`${texts.pop() ?? ''}${sign}`);
      }
      return texts.flatMap((text) => expanded(pattern.slice(0, at) + text + pattern.slice(end)));
    }
  }
  return [pattern];
}

function classEnd(pattern: string, from: number): number {
  let at = from + 1;
  if (pattern[at] === '^' || pattern[at] === '!') at += 1;
  for (; at < pattern.length && pattern[at] !== ']'; at += 1) if (pattern[at] === '\\') at += 1;
  return at;
}

const matchesWhole = (pattern: string, name: string): boolean =>
  isValid(pattern) && expanded(pattern).some((one) => matches(Array.from(one), Array.from(name), true));

/** `start`: of a name, where `**` is more than `*`. */
function matches(pattern: readonly string[], name: readonly string[], start: boolean): boolean {
  const text = pattern.join('');
  if (name.length === 0) return /^\**(?:\/\*\*)*\/?$/.test(text) && text !== '/';
  const [sign, next] = pattern;
  if (sign === undefined) return false;
  if (sign === '*') {
    if (next === '*' && start) {
      if (pattern.length === 2) return true;
      if (pattern[2] === '/') {
        const rest = pattern.slice(3);
        if (matches(rest, name, true)) return true;
        return name.some((one, at) => one === '/' && matches(rest, name.slice(at + 1), true));
      }
    }
    const rest = pattern.slice(1);
    for (let taken = 0; ; taken += 1) {
      if (matches(rest, name.slice(taken), false)) return true;
      if (taken === name.length || name[taken] === '/') return false;
    }
  }
  const [first = '', ...others] = name;
  if (sign === '?') return first !== '/' && matches(pattern.slice(1), others, false);
  if (sign === '[') {
    const end = classEnd(text, 0);
    const length = Array.from(text.slice(0, end + 1)).length;
    return inClass(pattern.slice(1, length - 1), first) && matches(pattern.slice(length), others, false);
  }
  if (sign === '\\') return next === first && matches(pattern.slice(2), others, first === '/');
  return sign === first && matches(pattern.slice(1), others, first === '/');
}

function inClass(inner: readonly string[], sign: string): boolean {
  const negated = inner[0] === '^' || inner[0] === '!';
  const signs = negated ? inner.slice(1) : inner;
  const code = (text: string | undefined): number => text?.codePointAt(0) ?? -1;
  let found = false;
  let low: string | undefined;
  for (let at = 0; at < signs.length; at += 1) {
    if (signs[at] === '-' && low !== undefined && at < signs.length - 1) {
      at += signs[at + 1] === '\\' ? 2 : 1;
      if (code(low) <= code(sign) && code(sign) <= code(signs[at])) found = true;
      low = undefined;
      continue;
    }
    if (signs[at] === '\\') at += 1;
    if (signs[at] === sign) found = true;
    low = signs[at];
  }
  return found !== negated;
}
