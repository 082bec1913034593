/**
 * Aho-Corasick over bytes: all patterns in one pass, in time linear in the text for all patterns. Children
 * are in one open-addressing table instead of 256 columns per node, so a secret of a megabyte costs megabytes
 * and not gigabytes. A. V. Aho and M. J. Corasick, "Efficient string matching", CACM 18 (1975).
 */
export interface Automaton {
  /** Next node for a byte; 0 is the root. */
  step(node: number, byte: number): number;
  /** Bytes before the end of the text that a longer match may still claim. At most `longest` - 1. */
  readonly hold: Int32Array;
  /** Length of the longest pattern that ends here; 0 when none does. */
  readonly cover: Int32Array;
  /** Length of the longest pattern. */
  readonly longest: number;
}

interface Table {
  keys: Int32Array;
  nodes: Int32Array;
  mask: number;
}

/** Keys are node * 256 + byte + 1 (0 is an empty place), hashed by Knuth's multiplicative constant. */
function find(table: Table, node: number, byte: number): number {
  const key = node * 256 + byte + 1;
  let place = Math.imul(key, 0x9e3779b1) >>> 7;
  for (;;) {
    place &= table.mask;
    const there = table.keys[place];
    if (there === key) return table.nodes[place] ?? 0;
    if (there === 0) return 0;
    place += 1;
  }
}

function insert(table: Table, place: { node: number; byte: number }, child: number): void {
  const key = place.node * 256 + place.byte + 1;
  let at = (Math.imul(key, 0x9e3779b1) >>> 7) & table.mask;
  while (table.keys[at] !== 0) at = (at + 1) & table.mask;
  table.keys[at] = key;
  table.nodes[at] = child;
}

function emptyTable(entries: number): Table {
  let size = 1_024;
  while (size < entries * 2) size *= 2;
  return { keys: new Int32Array(size), nodes: new Int32Array(size), mask: size - 1 };
}

/** Patterns must not be empty and together be shorter than 8 MiB. */
export function buildAutomaton(patterns: readonly Uint8Array[]): Automaton {
  const total = patterns.reduce((sum, pattern) => sum + pattern.length, 1);
  const table = emptyTable(total);
  const parent = new Int32Array(total);
  const byteOf = new Uint8Array(total);
  const depth = new Int32Array(total);
  const cover = new Int32Array(total);
  const inner = new Uint8Array(total);
  let nodes = 1;
  let longest = 0;
  for (const pattern of patterns) {
    let node = 0;
    for (const byte of pattern) {
      let child = find(table, node, byte);
      if (child === 0) {
        child = nodes++;
        insert(table, { node, byte }, child);
        parent[child] = node;
        byteOf[child] = byte;
        depth[child] = (depth[node] ?? 0) + 1;
        inner[node] = 1;
      }
      node = child;
    }
    cover[node] = pattern.length;
    longest = Math.max(longest, pattern.length);
  }
  const { fail, hold } = link({ table, parent, byteOf, depth, cover, inner, nodes });
  const root = new Int32Array(256);
  for (let byte = 0; byte < 256; byte++) root[byte] = find(table, 0, byte);
  const step = (node: number, byte: number): number => {
    let at = node;
    while (at !== 0) {
      const child = find(table, at, byte);
      if (child !== 0) return child;
      at = fail[at] ?? 0;
    }
    return root[byte] ?? 0;
  };
  return { step, hold, cover, longest };
}

interface Trie {
  table: Table;
  parent: Int32Array;
  byteOf: Uint8Array;
  depth: Int32Array;
  cover: Int32Array;
  inner: Uint8Array;
  nodes: number;
}

/** Failure links, breadth first; a leaf can grow no further, so it holds only what its failure node does. */
function link(trie: Trie): { fail: Int32Array; hold: Int32Array } {
  const fail = new Int32Array(trie.nodes);
  const hold = new Int32Array(trie.nodes);
  const order = Array.from({ length: trie.nodes - 1 }, (_, index) => index + 1);
  order.sort((a, b) => (trie.depth[a] ?? 0) - (trie.depth[b] ?? 0));
  for (const node of order) {
    const up = trie.parent[node] ?? 0;
    const byte = trie.byteOf[node] ?? 0;
    if (up !== 0) {
      let at = fail[up] ?? 0;
      let target = find(trie.table, at, byte);
      while (target === 0 && at !== 0) {
        at = fail[at] ?? 0;
        target = find(trie.table, at, byte);
      }
      fail[node] = target;
    }
    const link = fail[node] ?? 0;
    if (trie.cover[node] === 0) trie.cover[node] = trie.cover[link] ?? 0;
    hold[node] = trie.inner[node] === 1 ? (trie.depth[node] ?? 0) : (hold[link] ?? 0);
  }
  return { fail, hold };
}
