import type { Problems } from '../problems.ts';
import { readers } from '../schema/keyword-table.ts';
import { didYouMean } from '../suggest.ts';
import { isLost, isNull, mapNode, type Entry, type MapNode, type Node } from '../yaml/nodes.ts';

/**
 * `extends`: the parents' maps are merged deeply in their order, then the job's own on top; lists and scalars
 * are replaced. Nodes are shared, so places stay where they were written. Each name is resolved once; a walk
 * keeps its path, so a cycle is found and named.
 */
const MAX_LEVELS = 11;
/** Levels that are followed, so that a smaller excess is reported at its job. */
const MAX_WALK = 100;
/** Limit of merged entries in one file, against nested extends that multiply. */
const MAX_MERGED = 1_000_000;

export class Extender {
  readonly #entries: ReadonlyMap<string, Entry>;
  readonly #problems: Problems;
  readonly #done = new Map<string, { map: MapNode; levels: number }>();
  readonly #path: string[] = [];
  #merged = 0;

  constructor(entries: ReadonlyMap<string, Entry>, problems: Problems) {
    this.#entries = entries;
    this.#problems = problems;
  }

  /**
   * The job with all its parents merged in, without `extends`. Undefined when it is not a map or its parents
   * are invalid.
   */
  resolve(name: string): MapNode | undefined {
    return this.#resolve(name)?.map;
  }

  #resolve(name: string): { map: MapNode; levels: number } | undefined {
    const known = this.#done.get(name);
    if (known) return known;
    const entry = this.#entries.get(name);
    if (entry?.value.kind !== 'map') return undefined;
    const own = entry.value.entries.get('extends');
    if (!own || isNull(own.value)) return this.#remember(name, entry.value, 0);
    if (this.#path.length >= MAX_WALK) {
      // Found out on the way down: a chain of thousands would end the stack before it is counted.
      this.#tooDeep(this.#path[0] ?? name, own.at);
      return this.#remember(name, entry.value, 0);
    }
    this.#path.push(name);
    const found = this.#parents(name, own.value);
    const { parents } = found;
    this.#path.pop();
    const levels = 1 + Math.max(0, ...parents.map((parent) => parent.levels));
    if (levels > MAX_LEVELS) {
      this.#tooDeep(name, own.at);
      return this.#remember(name, entry.value, 0);
    }
    let map: MapNode | undefined;
    for (const parent of parents) map = map ? this.#merge(map, parent.map) : parent.map;
    const merged = map ? this.#merge(map, entry.value) : entry.value;
    const entries = new Map(merged.entries);
    entries.delete('extends');
    const lost = found.lost || isLost(merged);
    return this.#remember(name, mapNode({ ...entry.value, ...(lost && { lost }) }, entries), levels);
  }

  #tooDeep(name: string, at: Entry['at']): void {
    const message = `"${name}" extends through more than ${MAX_LEVELS} levels`;
    this.#problems.add('language/extends-depth', message, { at });
  }

  #remember(name: string, map: MapNode, levels: number): { map: MapNode; levels: number } {
    const result = { map, levels };
    this.#done.set(name, result);
    return result;
  }

  /** `lost`: one of them could not be found. */
  #parents(name: string, value: Node): { parents: { map: MapNode; levels: number }[]; lost: boolean } {
    const names = readers.extends.read(value, this.#problems) ?? [];
    const parents: { map: MapNode; levels: number }[] = [];
    let lost = isLost(value);
    for (const [index, parent] of names.entries()) {
      const at = value.kind === 'list' ? (value.items[index] ?? value) : value;
      const start = this.#path.indexOf(parent);
      if (start !== -1) {
        const cycle = [...this.#path.slice(start), parent].join(' -> ');
        this.#problems.add('language/cycle', `extends forms a cycle: ${cycle}`, { at });
        continue;
      }
      const target = this.#entries.get(parent);
      if (target?.value.kind !== 'map') {
        lost = true;
        const what = target ? `"${parent}", which is not a map` : `"${parent}", which does not exist`;
        this.#problems.add('language/unknown-extends', `"${name}" extends ${what}`, {
          at,
          hint: () => (target ? undefined : didYouMean(parent, this.#entries.keys())),
        });
        continue;
      }
      const resolved = this.#resolve(parent);
      if (resolved) parents.push(resolved);
    }
    return { parents, lost };
  }

  #merge(below: MapNode, above: MapNode): MapNode {
    if (this.#problems.mustStop) return above;
    this.#merged += below.entries.size + above.entries.size;
    if (this.#merged > MAX_MERGED) {
      this.#problems.add('language/too-large', 'extends merges more than a million values', { at: above });
      return above;
    }
    const entries = new Map(below.entries);
    for (const [key, entry] of above.entries) {
      const under = entries.get(key);
      const both = under?.value.kind === 'map' && entry.value.kind === 'map';
      entries.set(
        key,
        both && under.value.kind === 'map' && entry.value.kind === 'map'
          ? { key, at: entry.at, value: this.#merge(under.value, entry.value) }
          : entry,
      );
    }
    const lost = isLost(below) || isLost(above);
    return mapNode({ ...above, ...(lost && { lost }) }, entries);
  }
}
