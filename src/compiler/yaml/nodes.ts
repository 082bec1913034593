import type { Origin } from '../source-text.ts';

/**
 * The tree that every later step works on. Each node and each key keeps the text and offset it was written
 * at, through anchors, merge keys, extends and default: a value is shared, never copied, so its place is
 * always where a person wrote it. Maps are ordered and have no prototype to pollute.
 */
export type ScalarValue = string | number | boolean | null;
export type ScalarStyle = 'plain' | 'quoted' | 'literal' | 'folded';

/**
 * What should be here, or a part of it, was not found, and that is reported: an alias, a template, a reference. Mistakes that
 * only follow from it are not.
 */
export type Lost = true;

export interface ScalarNode extends Origin {
  readonly kind: 'scalar';
  readonly value: ScalarValue;
  /** As text: the string itself, a number as Ruby would print it, '' for null. */
  readonly text: string;
  readonly style: ScalarStyle;
  readonly size: 1;
  readonly height: 1;
  readonly lost?: Lost;
}
export interface MapNode extends Origin {
  readonly kind: 'map';
  readonly entries: ReadonlyMap<string, Entry>;
  /** Nodes below and including this one, counting each use of an alias. */
  readonly size: number;
  /** Levels below and including this one, through aliases. */
  readonly height: number;
  /** Result of `plain`: a field, because a weak map of every node costs more than all the rest. */
  made: Plain | undefined;
  readonly lost?: Lost;
}
export interface ListNode extends Origin {
  readonly kind: 'list';
  readonly items: readonly Node[];
  /** Tagged `!reference`: to be replaced by the value at that place. */
  readonly reference?: true;
  readonly size: number;
  readonly height: number;
  made: Plain | undefined;
}
export type Node = ScalarNode | MapNode | ListNode;
export interface Entry {
  readonly key: string;
  readonly at: Origin;
  readonly value: Node;
}

export type Plain = ScalarValue | Plain[] | { [key: string]: Plain };
export type Path = readonly (string | number)[];

/**
 * Plain JSON of a node, maps without prototype; the same object for the same node, so it must not be changed.
 */
export function plain(node: Node): Plain {
  if (node.kind === 'scalar') return node.value;
  if (node.made !== undefined) return node.made;
  if (node.kind === 'list') {
    node.made = node.items.map(plain);
    return node.made;
  }
  const map: { [key: string]: Plain } = { __proto__: null };
  for (const [key, entry] of node.entries) map[key] = plain(entry.value);
  node.made = map;
  return map;
}

export const isLost = (node: Node): boolean => node.kind !== 'list' && node.lost === true;

/** The deepest existing node on this path; a shorthand (a string for a map) ends the walk early. */
export function nodeAt(node: Node, path: Path): Node {
  let here = node;
  for (const step of path) {
    const next =
      here.kind === 'map'
        ? here.entries.get(String(step))?.value
        : here.kind === 'list'
          ? here.items[Number(step)]
          : undefined;
    if (!next) return here;
    here = next;
  }
  return here;
}

export const isNull = (node: Node): boolean => node.kind === 'scalar' && node.value === null;

export function mapNode(
  origin: Origin & { readonly lost?: Lost },
  entries: ReadonlyMap<string, Entry>,
): MapNode {
  let size = 1;
  let height = 0;
  for (const { value } of entries.values()) {
    size += value.size;
    if (value.height > height) height = value.height;
  }
  return {
    kind: 'map',
    source: origin.source,
    offset: origin.offset,
    entries,
    size,
    height: height + 1,
    made: undefined,
    ...(origin.lost && { lost: origin.lost }),
  };
}

export function listNode(origin: Origin, items: readonly Node[]): ListNode {
  let size = 1;
  let height = 0;
  for (const item of items) {
    size += item.size;
    if (item.height > height) height = item.height;
  }
  return {
    kind: 'list',
    source: origin.source,
    offset: origin.offset,
    items,
    size,
    height: height + 1,
    made: undefined,
  };
}

/** This kind of value, for messages. */
export function kindText(node: Node): string {
  if (node.kind === 'map') return 'a map';
  if (node.kind === 'list') return 'a list';
  if (node.value === null) return 'empty';
  if (typeof node.value === 'boolean') return `the boolean ${node.value}`;
  return typeof node.value === 'number' ? 'a number' : 'a string';
}
