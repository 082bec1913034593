import type { Problems } from '../problems.ts';
import { didYouMean } from '../suggest.ts';
import {
  isLost,
  mapNode,
  type Entry,
  type MapNode,
  type Node,
  type ScalarNode,
  type ScalarStyle,
} from './nodes.ts';
import { isDate, plainScalar, scalarText } from './scalars.ts';
import type { SourceText, Origin } from '../source-text.ts';

/** The meaning of YAML, apart from its syntax: anchors, merge keys, duplicate and forbidden keys, scalars. */
export const MAX_DEPTH = 100;
/** Nodes after all aliases are expanded. */
export const MAX_NODES = 1_000_000;
/** Entries that merge keys may copy. */
const MAX_MERGED = 1_000_000;
/** Keys that reach a prototype. */
export const FORBIDDEN: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);

export interface RawEntry extends Entry {
  /** `<<` without quotes. */
  merges: boolean;
}

export class TreeBuilder {
  readonly source: SourceText;
  readonly problems: Problems;
  /** Undefined: the anchor's own node is still being read. */
  readonly #anchors = new Map<string, Node | undefined>();
  #merged = 0;

  constructor(source: SourceText, problems: Problems) {
    this.source = source;
    this.problems = problems;
  }

  origin(offset: number): Origin {
    return { source: this.source, offset };
  }

  openAnchor(name: string): void {
    this.#anchors.set(name, undefined);
  }

  closeAnchor(name: string, node: Node): void {
    this.#anchors.set(name, node);
  }

  /** The anchor's own node, shared. */
  alias(name: string, offset: number, depth: number): Node {
    const found = this.#anchors.get(name);
    const at = this.origin(offset);
    if (found && depth + found.height > MAX_DEPTH) {
      this.problems.add('language/too-large', `aliases nest deeper than ${MAX_DEPTH} levels`, { at });
      return this.empty(offset);
    }
    if (found) return found;
    const what = this.#anchors.has(name) ? 'is inside its own anchor' : 'has no anchor before it';
    this.problems.add('language/yaml', `the alias *${name} ${what}`, {
      at,
      hint:
        didYouMean(name, this.#anchors.keys()) ??
        `Write &${name} in front of the value that it means, above this line.`,
    });
    return this.lost(offset);
  }

  lost(offset: number): ScalarNode {
    return { ...this.empty(offset), lost: true };
  }

  scalar(text: string, offset: number, style: ScalarStyle): ScalarNode {
    const { source } = this;
    if (style !== 'plain')
      return { kind: 'scalar', source, offset, value: text, text, style, size: 1, height: 1 };
    if (isDate(text))
      this.problems.add(
        'language/yaml',
        `${text} without quotes is a date, which a pipeline file must not contain`,
        {
          at: this.origin(offset),
          hint: 'Put it in quotes.',
        },
      );
    const value = plainScalar(text);
    const asText = typeof value === 'string' ? value : scalarText(value, text);
    return { kind: 'scalar', source, offset, value, text: asText, style, size: 1, height: 1 };
  }

  empty(offset: number): ScalarNode {
    const { source } = this;
    return { kind: 'scalar', source, offset, value: null, text: '', style: 'plain', size: 1, height: 1 };
  }

  map(offset: number, pairs: readonly RawEntry[]): MapNode {
    const entries = new Map<string, Entry>();
    const own = new Set<string>();
    for (const { key, at, value, merges } of pairs) {
      if (merges) this.#merge(entries, value);
      else this.#put(entries, { key, at, value }, own);
    }
    const lost = pairs.some(({ value, merges }) => merges && isLost(value));
    return mapNode({ ...this.origin(offset), ...(lost && { lost }) }, entries);
  }

  #put(entries: Map<string, Entry>, entry: Entry, own: Set<string>): void {
    if (FORBIDDEN.has(entry.key)) {
      this.problems.add('language/forbidden-key', `"${entry.key}" cannot be a key`, { at: entry.at });
      return;
    }
    if (own.has(entry.key)) {
      const first = entries.get(entry.key)?.at;
      const where = first ? ` (first on line ${first.source.place(first.offset).line})` : '';
      const message = `"${entry.key}" occurs twice in this map${where}; the last one is used`;
      this.problems.add('language/duplicate-key', message, { at: entry.at, severity: 'warning' });
    }
    own.add(entry.key);
    entries.set(entry.key, entry);
  }

  /** In written order, as Psych: keys that the map already has are overridden. */
  #merge(entries: Map<string, Entry>, value: Node): void {
    if (this.problems.mustStop) return;
    if (value.kind === 'map') {
      this.#merged += value.entries.size;
      if (this.#merged > MAX_MERGED)
        this.problems.add('language/too-large', 'merge keys copy more than a million values', {
          at: value,
        });
      else for (const [key, entry] of value.entries) entries.set(key, entry);
    } else if (value.kind === 'list' && value.items.every((item) => item.kind === 'map')) {
      // Earlier items of the list override later ones.
      for (const item of [...value.items].reverse()) this.#merge(entries, item);
    } else if (!(value.kind === 'scalar' && value.value === null))
      this.problems.add('language/yaml', '<< takes a map or a list of maps', { at: value });
  }

  /** The finished document. */
  done(root: Node): Node {
    if (root.size > MAX_NODES)
      this.problems.add('language/too-large', 'aliases expand to more than a million values', { at: root });
    return root;
  }
}
