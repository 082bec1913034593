import { isLost, mapNode, type MapNode } from '../yaml/nodes.ts';

/**
 * Merges maps key by key, the upper one wins; lists and scalars are replaced. Nodes are shared, so places
 * stay.
 */
export function mergeMaps(below: MapNode, above: MapNode): MapNode {
  const entries = new Map(below.entries);
  for (const [key, entry] of above.entries) {
    const under = entries.get(key)?.value;
    const { value } = entry;
    const both = under?.kind === 'map' && value.kind === 'map';
    entries.set(key, both ? { ...entry, value: mergeMaps(under, value) } : entry);
  }
  const lost = isLost(below) || isLost(above);
  return mapNode({ ...above, ...(lost && { lost }) }, entries);
}
