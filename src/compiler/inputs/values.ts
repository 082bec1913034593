/**
 * Values of inputs as nodes: they keep the place where they were written, and their type if they are a whole
 * value.
 */
import {
  listNode,
  mapNode,
  plain,
  type Entry,
  type Node,
  type Plain,
  type ScalarNode,
  type ScalarValue,
} from '../yaml/nodes.ts';
import type { Origin } from '../source-text.ts';

/** Limit against JSON that no person writes. */
const MAX_JSON_DEPTH = 50;

/** A scalar at the place of another; `text` if it differs from the printed value. */
export function scalarAt({ source, offset }: Origin, value: ScalarValue, text?: string): ScalarNode {
  return {
    kind: 'scalar',
    source,
    offset,
    value,
    text: text ?? (value === null ? '' : String(value)),
    style: 'quoted',
    size: 1,
    height: 1,
  };
}

/** A JSON text as nodes at the text's place; undefined when it is invalid or nested too deeply. */
export function jsonNode(text: string, at: Origin): Node | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined; // not JSON: the caller reports the expected type
  }
  return nodeOf(value, at, { written: text.trim(), depth: 0 });
}

/** Plain JSON as nodes, all at one place. Undefined when it is nested too deeply or is not JSON. */
export function nodeOf(
  value: unknown,
  at: Origin,
  options: { written?: string; depth: number } = { depth: 0 },
): Node | undefined {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return scalarAt(at, value);
  if (typeof value === 'number') return scalarAt(at, value, numberText(value, options.written));
  if (typeof value !== 'object' || options.depth > MAX_JSON_DEPTH) return undefined;
  const depth = options.depth + 1;
  if (Array.isArray(value)) {
    const items = value.map((item) => nodeOf(item, at, { depth }));
    return items.every((item) => item !== undefined) ? listNode(at, items) : undefined;
  }
  const entries = new Map<string, Entry>();
  for (const [key, inner] of Object.entries(value)) {
    const node = key === '__proto__' ? undefined : nodeOf(inner, at, { depth });
    if (!node) return undefined;
    entries.set(key, { key, at, value: node });
  }
  return mapNode(at, entries);
}

/** As Ruby prints it: a number written with a fraction keeps one. */
const numberText = (value: number, written: string | undefined): string =>
  Number.isInteger(value) && written !== undefined && /[.eE]/.test(written) ? `${value}.0` : String(value);

/** A value within a longer text: null is empty, a list is printed as Ruby prints it. */
export function textOf(node: Node): string {
  return node.kind === 'scalar' ? node.text : inspect(plain(node));
}

function inspect(value: Plain): string {
  if (value === null) return 'nil';
  if (Array.isArray(value)) return `[${value.map(inspect).join(', ')}]`;
  if (typeof value !== 'object') return JSON.stringify(value);
  return `{${Object.entries(value)
    .map(([key, inner]) => `${JSON.stringify(key)}=>${inspect(inner)}`)
    .join(', ')}}`;
}

/** For messages: short, and a text in quotes. */
export function shown(node: Node): string {
  const text = node.kind === 'scalar' && typeof node.value === 'string' ? `"${node.text}"` : textOf(node);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text || 'nothing';
}
