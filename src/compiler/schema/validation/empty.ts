import type { Plain } from '../../yaml/nodes.ts';

/** Keys whose empty value has a meaning: an empty variable, a condition that always holds, a mistake. */
const KEPT: ReadonlySet<string> = new Set(['variables', 'matrix', 'if']);

/**
 * As in GitLab's checks (`allow_nil`): removes keys whose value is empty, on every level. Items of lists
 * stay. Returns the same object if nothing is empty.
 */
export function withoutEmpty(value: Plain): Plain {
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) {
    const items = value.map(withoutEmpty);
    return items.every((item, index) => item === value[index]) ? value : items;
  }
  const kept: { [key: string]: Plain } = { __proto__: null };
  let same = true;
  for (const [key, inner] of Object.entries(value)) {
    const cleaned = KEPT.has(key) ? inner : withoutEmpty(inner);
    if (cleaned !== inner || (inner === null && !KEPT.has(key))) same = false;
    if (cleaned !== null || KEPT.has(key)) kept[key] = cleaned;
  }
  return same ? value : kept;
}
