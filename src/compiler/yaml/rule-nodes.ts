import { isNull, type Node } from '../yaml/nodes.ts';
import type { Origin } from '../source-text.ts';

/** The items of a list, in order, with nested lists flattened: the order of the values of `composable`. One value is one item. */
export function itemNodes(node: Node | undefined): Node[] {
  if (!node || isNull(node)) return [];
  return node.kind === 'list' ? node.items.flatMap(itemNodes) : [node];
}

/** The value of a key of one rule. */
export const ruleKey = (rule: Node | undefined, key: string): Node | undefined =>
  rule?.kind === 'map' ? rule.entries.get(key)?.value : undefined;

/** A place inside a scalar: exact if it was written on one line without escapes. */
export function originIn(node: Node, offset: number): Origin {
  if (node.kind !== 'scalar' || node.style === 'literal' || node.style === 'folded') return node;
  const start = node.offset + (node.style === 'quoted' ? 1 : 0);
  return node.source.text.startsWith(node.text, start)
    ? { source: node.source, offset: start + offset }
    : node;
}
