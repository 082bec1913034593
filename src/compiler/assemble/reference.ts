/**
 * `!reference [job, key, …]`: the value at that place after `extends`, with its own references replaced.
 * Values are shared, so places stay where they were written. Each node is resolved once; the walk keeps its
 * path, so a cycle is found and named. Keywords flatten nested lists.
 */
import type { Problems } from '../problems.ts';
import { TOP } from '../schema/keyword-table.ts';
import { didYouMean } from '../suggest.ts';
import { MAX_DEPTH, MAX_NODES } from '../yaml/build.ts';
import {
  isNull,
  listNode,
  mapNode,
  type Entry,
  type ListNode,
  type MapNode,
  type Node,
} from '../yaml/nodes.ts';
import { Extender } from './extends.ts';

/** GitLab's limit for references that lead to references. */
const MAX_LEVELS = 10;

/** Every job and template of a document with its parents merged in. */
export function extendAll(root: MapNode, problems: Problems): MapNode {
  const jobs = new Map([...root.entries].filter(([key]) => !TOP.has(key)));
  for (const { value } of jobs.values()) {
    const parents = value.kind === 'map' ? value.entries.get('extends') : undefined;
    if (parents?.value.kind === 'list' && parents.value.reference)
      problems.add('language/type', 'extends cannot be a !reference', { at: parents.value });
  }
  const extender = new Extender(jobs, problems);
  const entries = new Map(root.entries);
  for (const [key, entry] of jobs) {
    const value = extender.resolve(key);
    if (value) entries.set(key, { ...entry, value });
  }
  return mapNode(root, entries);
}

/** The document with every reference replaced. A mistake is a problem, and leaves an empty value. */
export function resolveReferences(root: MapNode, problems: Problems): MapNode {
  const extended = extendAll(root, problems);
  if (problems.mustStop) return extended;
  const resolver = new Resolver(extended, problems);
  const entries = new Map<string, Entry>();
  for (const [key, entry] of extended.entries)
    entries.set(key, { ...entry, value: resolver.visit(entry.value) });
  const resolved = mapNode(root, entries);
  if (resolved.size > MAX_NODES)
    problems.add('language/too-large', 'references expand to more than a million values', { at: root });
  if (resolved.height > MAX_DEPTH)
    problems.add('language/too-large', `references nest deeper than ${MAX_DEPTH} levels`, { at: root });
  return resolved;
}

interface Done {
  node: Node;
  /** Further references from here. */
  levels: number;
}

class Resolver {
  readonly #root: MapNode;
  readonly #problems: Problems;
  readonly #done = new Map<Node, Done>();
  readonly #active = new Set<Node>();
  readonly #path: string[] = [];

  constructor(root: MapNode, problems: Problems) {
    this.#root = root;
    this.#problems = problems;
  }

  visit(node: Node): Node {
    return this.#visit(node).node;
  }

  #visit(node: Node): Done {
    if (node.kind === 'scalar') return { node, levels: 0 };
    const known = this.#done.get(node);
    if (known) return known;
    this.#active.add(node);
    const done =
      node.kind === 'map' ? this.#map(node) : node.reference ? this.#reference(node) : this.#list(node);
    this.#active.delete(node);
    this.#done.set(node, done);
    return done;
  }

  #map(node: MapNode): Done {
    const entries = new Map<string, Entry>();
    let levels = 0;
    let changed = false;
    for (const [key, entry] of node.entries) {
      const done = this.#visit(entry.value);
      levels = Math.max(levels, done.levels);
      changed ||= done.node !== entry.value;
      entries.set(key, done.node === entry.value ? entry : { ...entry, value: done.node });
    }
    return { node: changed ? mapNode(node, entries) : node, levels };
  }

  #list(node: ListNode): Done {
    const items: Node[] = [];
    let levels = 0;
    for (const item of node.items) {
      const done = this.#visit(item);
      levels = Math.max(levels, done.levels);
      // The empty value of a wrong reference would only be reported a second time.
      const lost = item.kind === 'list' && item.reference && isNull(done.node);
      if (!lost) items.push(done.node);
    }
    const changed = items.length !== node.items.length || items.some((item, at) => item !== node.items[at]);
    return { node: changed ? listNode(node, items) : node, levels };
  }

  #reference(node: ListNode): Done {
    const steps = node.items.map((item) => (item.kind === 'scalar' ? item.text : ''));
    const text = `[${steps.join(', ')}]`;
    const empty = { node: emptyAt(node), levels: 0 };
    if (steps.length === 0 || steps.includes('')) {
      const what = '!reference takes a list of names: a job or template, then a keyword and its keys';
      this.#problems.add('language/type', what, { at: node });
      return empty;
    }
    const target = this.#find(node, steps);
    if (!target) return empty;
    if (this.#active.has(target)) {
      const start = this.#path.indexOf(text);
      const way = start === -1 ? [text, ...this.#path] : this.#path.slice(start);
      const cycle = [...way, text].join(' -> ');
      this.#problems.add('language/cycle', `!reference forms a cycle: ${cycle}`, { at: node });
      return empty;
    }
    this.#path.push(text);
    // The walk stops at the limit, so that a long chain cannot exhaust the stack.
    const done = this.#path.length > MAX_LEVELS ? { node: emptyAt(node), levels: 0 } : this.#visit(target);
    const levels = this.#path.length + done.levels;
    this.#path.pop();
    if (levels > MAX_LEVELS) {
      const what = `!reference ${text} follows more than ${MAX_LEVELS} other references`;
      this.#problems.add('language/extends-depth', what, { at: node });
      return empty;
    }
    return { node: done.node, levels: done.levels + 1 };
  }

  #find(node: ListNode, steps: readonly string[]): Node | undefined {
    let here: Node = this.#root;
    for (const [index, step] of steps.entries()) {
      const names: Iterable<string> = here.kind === 'map' ? here.entries.keys() : [];
      const next: Node | undefined = here.kind === 'map' ? here.entries.get(step)?.value : undefined;
      if (!next || isNull(next)) {
        const where = index === 0 ? 'the file' : `"${steps.slice(0, index).join('.')}"`;
        this.#problems.add(
          'language/unknown-extends',
          `!reference has no target: ${where} has no "${step}"`,
          {
            at: node.items[index] ?? node,
            hint: () => didYouMean(step, names),
          },
        );
        return undefined;
      }
      here = next;
    }
    return here;
  }
}

const emptyAt = ({ source, offset }: Node): Node => ({
  kind: 'scalar',
  source,
  offset,
  value: null,
  text: '',
  style: 'plain',
  size: 1,
  height: 1,
  lost: true,
});
