/**
 * Interpolates `$[[ … ]]` in the keys and values of a document.
 *
 * Invariants: INPUT-1 an inserted value is not interpolated again. INPUT-2 a shared node is processed once,
 * so multiplied aliases cost nothing; the total size of inserted text is limited over all files of a
 * pipeline. INPUT-3 a value has the place of its block, the items of a list the place where they were
 * written. INPUT-4 a block that is a whole value keeps its type; within a longer text it is text. INPUT-5
 * `$[[ matrix.NAME ]]` and `!reference` stay unchanged, as in GitLab.
 */
import type { Problems } from '../problems.ts';
import { originIn } from '../yaml/rule-nodes.ts';
import { didYouMean } from '../suggest.ts';
import { FORBIDDEN, MAX_DEPTH, MAX_NODES } from '../yaml/build.ts';
import { listNode, mapNode, type Entry, type MapNode, type Node, type ScalarNode } from '../yaml/nodes.ts';
import { findBlocks, isMatrix, readBlock, shortened, type FoundBlock } from './blocks.ts';
import { applyFunction, type Applied, type VariableLookup } from './functions.ts';
import { scalarAt, textOf } from './values.ts';
import type { Origin } from '../source-text.ts';

/** GitLab's limit for a text with a block. */
const MAX_TEXT = 1024 * 1024;
/** GitLab's limit for different blocks of one file. */
const MAX_BLOCKS = 10_000;
/** Characters that the blocks of all files of a pipeline may insert. */
const MAX_INSERTED = 32 * 1024 * 1024;

/** Size of inserted text so far, over all files. */
export interface Growth {
  characters: number;
}
/** Values by context (`inputs`, `component`) and name. */
export type Contexts = ReadonlyMap<string, ReadonlyMap<string, Node>>;
interface Interpolation {
  contexts: Contexts;
  lookup: VariableLookup;
  growth: Growth;
  problems: Problems;
}

/** The document with every block interpolated; a mistake is a problem, and its block stays. */
export function interpolate(root: Node, interpolation: Interpolation): Node {
  const filled = new Interpolator(interpolation).node(root, 0);
  if (filled.size > MAX_NODES)
    interpolation.problems.add('language/too-large', 'inputs expand to more than a million values', {
      at: root,
    });
  return filled;
}

class Interpolator {
  readonly #interpolation: Interpolation;
  readonly #done = new Map<Node, Node>();
  readonly #blocks = new Map<string, Applied>();

  constructor(interpolation: Interpolation) {
    this.#interpolation = interpolation;
  }

  node(node: Node, depth: number): Node {
    const known = this.#done.get(node);
    const result = known ?? this.#interpolate(node, depth);
    if (!known) this.#done.set(node, result);
    if (depth + result.height <= MAX_DEPTH) return result;
    this.#tooLarge(`inputs nest deeper than ${MAX_DEPTH} levels`, node);
    return scalarAt(node, null);
  }

  #interpolate(node: Node, depth: number): Node {
    if (this.#interpolation.problems.mustStop) return node;
    if (node.kind === 'scalar') return this.#scalar(node);
    if (node.kind === 'map') return this.#map(node, depth);
    if (node.reference) return node;
    const items = node.items.map((item) => this.node(item, depth + 1));
    return items.every((item, index) => item === node.items[index]) ? node : listNode(node, items);
  }

  #map(node: MapNode, depth: number): Node {
    const entries = new Map<string, Entry>();
    let changed = false;
    for (const entry of node.entries.values()) {
      const key = this.#key(entry);
      const value = this.node(entry.value, depth + 1);
      changed ||= key !== entry.key || value !== entry.value;
      if (key !== entry.key) this.#checkKey(key, entry.at, entries.get(key));
      if (!FORBIDDEN.has(key)) entries.set(key, { key, at: entry.at, value });
    }
    return changed ? mapNode(node, entries) : node;
  }

  #key({ key, at }: Entry): string {
    if (!key.includes('$[[')) return key;
    return textOf(this.#scalar(scalarAt(at, key)));
  }

  #checkKey(key: string, at: Origin, before: Entry | undefined): void {
    const { problems } = this.#interpolation;
    if (FORBIDDEN.has(key)) problems.add('language/forbidden-key', `"${key}" cannot be a key`, { at });
    else if (before) {
      const message = `"${key}" occurs twice in this map, once from an input; the last one is used`;
      problems.add('language/duplicate-key', message, { at, severity: 'warning' });
    }
  }

  #scalar(node: ScalarNode): Node {
    const text = typeof node.value === 'string' ? node.text : '';
    if (!text.includes('$[[')) return node;
    const blocks = findBlocks(text).filter((block) => !isMatrix(block.data));
    const [first] = blocks;
    if (!first) return node;
    if (text.length > MAX_TEXT) {
      this.#tooLarge('a text with an input is larger than 1 MiB', node);
      return node;
    }
    if (first.text.length === text.length) return this.#whole(node, first);
    return this.#mixed(node, blocks);
  }

  #whole(node: ScalarNode, block: FoundBlock): Node {
    const value = this.#value(block, node);
    if (!value) return node;
    if (value.kind === 'scalar') {
      if (!this.#grow(value.text.length, node)) return node;
      return scalarAt(node, value.value, value.text);
    }
    return { ...value, source: node.source, offset: node.offset };
  }

  #mixed(node: ScalarNode, blocks: readonly FoundBlock[]): Node {
    const parts: string[] = [];
    let from = 0;
    for (const block of blocks) {
      const value = this.#value(block, node);
      const filled = value ? textOf(value) : block.text;
      const before = node.text.slice(from, block.at);
      if (!this.#grow(before.length + filled.length, node)) return node;
      parts.push(before, filled);
      from = block.at + block.text.length;
    }
    parts.push(node.text.slice(from));
    return { ...scalarAt(node, parts.join('')), style: node.style };
  }

  #value(block: FoundBlock, node: ScalarNode): Node | undefined {
    let value = this.#blocks.get(block.text);
    if (!value) {
      value = this.#work(block);
      this.#blocks.set(block.text, value);
      if (this.#blocks.size > MAX_BLOCKS)
        this.#tooLarge(`the file has more than ${MAX_BLOCKS} different inputs`, node);
    }
    if (!('wrong' in value)) return value;
    const { problems } = this.#interpolation;
    problems.add('language/input', `${shortened(block.text)} ${value.wrong}`, { at: placeOf(block, node) });
    return undefined;
  }

  #work({ data }: FoundBlock): Applied {
    const { contexts, lookup } = this.#interpolation;
    const access = readBlock(data);
    if ('wrong' in access) return access;
    const values = contexts.get(access.context);
    if (!values) return { wrong: unknownContext(access.context, contexts) };
    let value: Applied | undefined = values.get(access.name);
    if (!value) return { wrong: unknownName(access.context, access.name, values) };
    for (const written of access.functions) {
      value = applyFunction(written, value, lookup);
      if ('wrong' in value) return value;
    }
    return value;
  }

  #grow(characters: number, at: Node): boolean {
    this.#interpolation.growth.characters += characters;
    if (this.#interpolation.growth.characters <= MAX_INSERTED) return true;
    this.#tooLarge('inputs expand to more than 32 MiB of text', at);
    return false;
  }

  #tooLarge(message: string, at: Node): void {
    this.#interpolation.problems.add('language/too-large', message, { at });
  }
}

function unknownContext(context: string, contexts: Contexts): string {
  const known = [...contexts.keys()].join(' and ');
  return `uses "${context}", but only ${known} are available`;
}

function unknownName(context: string, wanted: string, values: ReadonlyMap<string, Node>): string {
  const hint = didYouMean(wanted, values.keys());
  const where =
    context === 'component'
      ? 'the header has no such name in spec:component'
      : 'the header has no such input';
  return `cannot be replaced: ${where}${hint ? `. ${hint}` : ''}`;
}

/** The place of the block, if it occurs in the file as read. */
export function placeOf(block: FoundBlock, node: Node): Origin {
  const exact = originIn(node, block.at);
  if (exact !== node || node.kind !== 'scalar') return exact;
  const found = node.source.text.indexOf(block.text, node.offset);
  const far = found - node.offset > 4 * node.text.length + 64;
  return found === -1 || far ? node : { source: node.source, offset: found };
}
