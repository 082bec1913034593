/**
 * The quick reader: the YAML that pipeline files are made of, ten times faster than the full one.
 *
 * Role: a recursive descent over block maps and lists, scalars of every style, flow collections, anchors, aliases and
 * comments. Non-role: it reports no syntax error and knows no tag, directive, explicit key or third document. Invariant
 * Q1: at the first thing that it does not know it gives up, and the full reader reads the text from the start. Q2: what it
 * does read is node for node what the full one reads; a property test holds the two together. Q3: no step backtracks
 * further than its line, so the time is linear.
 */
import type { Problems } from '../problems.ts';
import { MAX_DEPTH, TreeBuilder, type RawEntry } from './build.ts';
import { flowNode } from './quick-flow.ts';
import { blockScalar, plainScalarLines, quotedScalar } from './quick-scalars.ts';
import { NotQuick, QuickCursor } from './quick-cursor.ts';
import { listNode, type Node } from './nodes.ts';
import type { SourceText } from './source.ts';

const MARKER = /^---[ \t]*$/gm;

/** The document, or a header and the document; undefined where the full reader has to look. */
export function readQuick(source: SourceText, problems: Problems): Node[] | undefined {
  try {
    return documentsOf(source.text).map((text) => {
      const cursor = new QuickCursor(text);
      if (!cursor.readable()) throw new NotQuick();
      return new QuickReader(cursor, new TreeBuilder(source, problems)).document();
    });
  } catch (error) {
    if (error instanceof NotQuick) return undefined;
    throw error;
  }
}

/** Each as a text of its own in which everything stands where it stood: what is before it is blank lines. */
function documentsOf(text: string): string[] {
  if (!text.includes('\n---')) return [text];
  const [marker, another] = [...text.matchAll(MARKER)].filter(({ index }) => index > 0);
  if (!marker) return [text];
  if (another) throw new NotQuick();
  const after = marker.index + marker[0].length;
  return [text.slice(0, marker.index), '\n'.repeat(after) + text.slice(after)];
}

class QuickReader {
  readonly #cursor: QuickCursor;
  readonly #build: TreeBuilder;

  constructor(cursor: QuickCursor, build: TreeBuilder) {
    this.#cursor = cursor;
    this.#build = build;
  }

  document(): Node {
    const cursor = this.#cursor;
    cursor.nextContent();
    cursor.skipFirstMarker();
    if (cursor.ended) throw new NotQuick();
    const root = this.#block(0);
    if (!cursor.ended) throw new NotQuick();
    return this.#build.done(root);
  }

  /** A map or list whose first line the cursor stands in. */
  #block(depth: number): Node {
    if (depth > MAX_DEPTH) throw new NotQuick();
    return this.#cursor.atListItem() ? this.#list(depth) : this.#map(depth);
  }

  #map(depth: number): Node {
    const cursor = this.#cursor;
    const { column, pos: start } = cursor;
    const pairs: RawEntry[] = [];
    do {
      const at = this.#build.origin(cursor.pos);
      const key = cursor.key();
      if (!key) throw new NotQuick();
      const value = this.#value({ column, depth: depth + 1, inMap: true });
      pairs.push({ key: key.text, at, value, merges: key.text === '<<' && !key.quoted });
    } while (cursor.goesOn(column) && !cursor.atListItem());
    cursor.mustHaveLeft(column);
    return this.#build.map(start, pairs);
  }

  #list(depth: number): Node {
    const cursor = this.#cursor;
    const { column, pos: start } = cursor;
    const items: Node[] = [];
    do {
      cursor.pos += 1;
      items.push(this.#item(column, depth + 1));
    } while (cursor.goesOn(column) && cursor.atListItem());
    return listNode(this.#build.origin(start), items);
  }

  /** After the dash: a collection may begin on the same line. */
  #item(column: number, depth: number): Node {
    this.#cursor.skipSpaces();
    if (this.#cursor.atListItem() || this.#cursor.peekKey()) return this.#block(depth);
    return this.#value({ column, depth, inMap: false });
  }

  #value(at: { column: number; depth: number; inMap: boolean }): Node {
    const cursor = this.#cursor;
    cursor.skipSpaces();
    const anchor = cursor.anchor();
    if (anchor === undefined) return this.#bare(at, false);
    this.#build.openAnchor(anchor);
    if (cursor.peekKey() || cursor.atListItem()) throw new NotQuick();
    const node = this.#bare(at, true);
    this.#build.closeAnchor(anchor, node);
    return node;
  }

  #bare(
    { column, depth, inMap }: { column: number; depth: number; inMap: boolean },
    anchored: boolean,
  ): Node {
    const cursor = this.#cursor;
    if (depth > MAX_DEPTH) throw new NotQuick();
    if (cursor.atLineEnd()) {
      const { pos } = cursor;
      cursor.endLine();
      const deeper = !cursor.ended && cursor.column > column;
      const sameList = !cursor.ended && inMap && cursor.column === column && cursor.atListItem();
      if (deeper || sameList) return this.#block(depth);
      if (anchored) throw new NotQuick();
      return this.#build.empty(pos);
    }
    const { pos } = cursor;
    switch (cursor.char) {
      case '|':
      case '>': {
        const { text, folded } = blockScalar(cursor, column);
        return this.#build.scalar(text, pos, folded ? 'folded' : 'literal');
      }
      case '"':
      case "'":
        return this.#ended(this.#build.scalar(quotedScalar(cursor), pos, 'quoted'));
      case '[':
      case '{':
        return this.#ended(flowNode({ cursor, build: this.#build, column }, depth));
      case '*':
        if (anchored) throw new NotQuick();
        return this.#ended(this.#build.alias(cursor.aliasName(), pos, depth));
      default:
        return this.#build.scalar(plainScalarLines(cursor, column), pos, 'plain');
    }
  }

  #ended(node: Node): Node {
    this.#cursor.endLine();
    return node;
  }
}
