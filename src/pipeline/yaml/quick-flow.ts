/** `[a, b]` and `{a: b}`, over several lines too. */
import { MAX_DEPTH, type RawEntry, type TreeBuilder } from './build.ts';
import { listNode, type Node } from './nodes.ts';
import { NotQuick, type QuickCursor } from './quick-cursor.ts';

interface Flow {
  cursor: QuickCursor;
  build: TreeBuilder;
  /** Lines of the collection must be deeper than this. */
  column: number;
}

export function flowNode(flow: Flow, depth: number): Node {
  if (depth > MAX_DEPTH) throw new NotQuick();
  return flow.cursor.char === '[' ? flowList(flow, depth) : flowMap(flow, depth);
}

function flowList(flow: Flow, depth: number): Node {
  const { cursor, build } = flow;
  const start = cursor.pos;
  const items: Node[] = [];
  cursor.pos += 1;
  skip(flow);
  while (cursor.char !== ']') {
    items.push(flowValue(flow, depth + 1));
    separator(flow, ']');
  }
  cursor.pos += 1;
  return listNode(build.origin(start), items);
}

function flowMap(flow: Flow, depth: number): Node {
  const { cursor, build } = flow;
  const start = cursor.pos;
  const pairs: RawEntry[] = [];
  cursor.pos += 1;
  skip(flow);
  while (cursor.char !== '}') {
    const at = build.origin(cursor.pos);
    const quoted = cursor.char === '"' || cursor.char === "'";
    const text = quoted ? cursor.quoted() : plain(cursor);
    if (text === undefined || cursor.char !== ':' || cursor.text[cursor.pos + 1] !== ' ')
      throw new NotQuick();
    cursor.pos += 1;
    skip(flow);
    const value = isEnd(cursor) ? build.empty(cursor.pos) : flowValue(flow, depth + 1);
    pairs.push({ key: text, at, value, merges: text === '<<' && !quoted });
    separator(flow, '}');
  }
  cursor.pos += 1;
  return build.map(start, pairs);
}

const isEnd = ({ char }: QuickCursor): boolean => char === ',' || char === ']' || char === '}';

/** A comma, or the end that is not consumed. */
function separator(flow: Flow, end: string): void {
  const { cursor } = flow;
  skip(flow);
  if (cursor.char === ',') {
    cursor.pos += 1;
    skip(flow);
  } else if (cursor.char !== end) throw new NotQuick();
}

function flowValue(flow: Flow, depth: number): Node {
  const { cursor, build } = flow;
  const { pos, char } = cursor;
  if (char === '[' || char === '{') return closed(flow, flowNode(flow, depth));
  if (char === '*') return closed(flow, build.alias(cursor.aliasName(), pos, depth));
  if (char === '"' || char === "'") {
    const text = cursor.quoted();
    if (text === undefined) throw new NotQuick();
    return closed(flow, build.scalar(text, pos, 'quoted'));
  }
  return closed(flow, build.scalar(plain(cursor), pos, 'plain'));
}

/** A colon here would make a pair of it, which is the full reader's. */
function closed(flow: Flow, node: Node): Node {
  skip(flow);
  if (!isEnd(flow.cursor)) throw new NotQuick();
  return node;
}

/** A plain scalar on one line; the cursor stops at what ends it. */
function plain(cursor: QuickCursor): string {
  if (!cursor.atPlain(true)) throw new NotQuick();
  const { text, pos } = cursor;
  let at = pos;
  for (; ; at += 1) {
    const char = text[at];
    if (char === undefined || char === '\t') throw new NotQuick();
    if (char === '\n' || ',[]{}'.includes(char)) break;
    if (char === ':' && /[\s,[\]{}]/.test(text[at + 1] ?? ' ')) break;
    if (char === '#' && text[at - 1] === ' ') break;
  }
  cursor.pos = at;
  return text.slice(pos, at).trimEnd();
}

/** Spaces, line breaks and comments between the parts. */
function skip({ cursor, column }: Flow): void {
  const { text } = cursor;
  for (;;) {
    cursor.skipSpaces();
    const { char } = cursor;
    if (char === '#' && /\s/.test(text[cursor.pos - 1] ?? '')) cursor.pos = cursor.lineEnd();
    else if (char === '\n') {
      cursor.pos += 1;
      cursor.lineStart = cursor.pos;
    } else break;
  }
  if (cursor.char === '' || cursor.char === '\t') throw new NotQuick();
  // The closing bracket may stand at the column of the key.
  const least = cursor.char === ']' || cursor.char === '}' ? column : column + 1;
  const leading = text.slice(cursor.lineStart, cursor.pos).trim() === '';
  if (leading && cursor.column < least) throw new NotQuick();
}
