/** Scalars of the quick reader that may go over several lines. Each leaves the cursor at the next content. */
import { NotQuick, type QuickCursor } from './quick-cursor.ts';

export function quotedScalar(cursor: QuickCursor): string {
  const text = cursor.quoted();
  if (text === undefined) throw new NotQuick();
  return text;
}

/** A plain scalar and the deeper lines that go on with it, folded. */
export function plainScalarLines(cursor: QuickCursor, column: number): string {
  if (!cursor.atPlain(false)) throw new NotQuick();
  const first = plainPiece(cursor.text.slice(cursor.pos, cursor.lineEnd()));
  let text = first.text;
  let open = !first.comment;
  for (;;) {
    cursor.pos = Math.min(cursor.lineEnd() + 1, cursor.text.length);
    const blank = open ? skipBlankLines(cursor) : 0;
    const indent = indentOf(cursor);
    const next = cursor.text[cursor.pos + indent];
    if (!open || next === undefined || next === '#' || indent <= column) break;
    if (next === '\t') throw new NotQuick();
    cursor.pos += indent;
    const piece = plainPiece(cursor.text.slice(cursor.pos, cursor.lineEnd()));
    text += (blank > 0 ? '\n'.repeat(blank) : ' ') + piece.text;
    open = !piece.comment;
  }
  cursor.nextContent();
  return text;
}

/** One line of a plain scalar, its comment and outer spaces off. */
function plainPiece(line: string): { text: string; comment: boolean } {
  const hash = line.indexOf(' #');
  const text = (hash === -1 ? line : line.slice(0, hash)).trimEnd();
  if (text.includes('\t') || text.includes(': ') || text.endsWith(':')) throw new NotQuick();
  return { text, comment: hash !== -1 };
}

/** From a line's start over lines of spaces; how many there were. */
function skipBlankLines(cursor: QuickCursor): number {
  for (let blank = 0; ; blank += 1) {
    const at = cursor.pos + indentOf(cursor);
    if (cursor.text[at] !== '\n') return blank;
    cursor.pos = at + 1;
  }
}

function indentOf({ text, pos }: QuickCursor): number {
  let at = pos;
  while (text[at] === ' ') at += 1;
  return at - pos;
}

const HEADER = /([|>])([+-]?)(?: +#[^\n]*| *)\n/y;

/** `|` and `>`, chomping included; an explicit indent is the full reader's. */
export function blockScalar(cursor: QuickCursor, column: number): { text: string; folded: boolean } {
  HEADER.lastIndex = cursor.pos;
  const header = HEADER.exec(cursor.text);
  if (!header) throw new NotQuick();
  cursor.pos = HEADER.lastIndex;
  const lines = blockLines(cursor, column);
  let last = lines.length;
  while (last > 0 && lines[last - 1] === '') last -= 1;
  const content = lines.slice(0, last);
  // Only blank lines: what is kept of them is for the full reader.
  if (content.length === 0) throw new NotQuick();
  const folded = header[1] === '>';
  const body = folded ? fold(content) : content.join('\n');
  const end = header[2] === '-' ? '' : header[2] === '+' ? '\n'.repeat(lines.length - last + 1) : '\n';
  cursor.nextContent();
  return { text: body + end, folded };
}

/** The lines of the scalar without their indent; the cursor is left at the line behind them. */
function blockLines(cursor: QuickCursor, column: number): string[] {
  const { text } = cursor;
  const lines: string[] = [];
  let indent = -1;
  let longest = 0;
  while (cursor.pos < text.length) {
    const own = indentOf(cursor);
    const at = cursor.pos + own;
    const end = cursor.lineEnd(at);
    if (end === text.length) throw new NotQuick();
    if (at === end) {
      lines.push(indent !== -1 && own > indent ? text.slice(cursor.pos + indent, end) : '');
      longest = Math.max(longest, own);
    } else {
      if (own <= column) break;
      if (indent === -1) indent = own;
      // A line between the two, or blank ones that are deeper than the first: an error, or a special case.
      if (own < indent || (lines.every((line) => line === '') && longest > indent)) throw new NotQuick();
      if (text[at] === '\t' && own === indent) throw new NotQuick();
      lines.push(text.slice(cursor.pos + indent, end));
    }
    cursor.pos = end + 1;
  }
  return lines;
}

/** Folding: a single line break between lines of the same indent is a space; deeper lines keep theirs. */
function fold(lines: readonly string[]): string {
  let out = '';
  let blank = 0;
  let before: string | undefined;
  for (const line of lines) {
    if (line === '') {
      blank += 1;
      continue;
    }
    const deeper = /^[ \t]/.test(line) || (before !== undefined && /^[ \t]/.test(before));
    if (before === undefined) out = '\n'.repeat(blank);
    else if (deeper) out += '\n'.repeat(blank + 1);
    else out += blank > 0 ? '\n'.repeat(blank) : ' ';
    out += line;
    before = line;
    blank = 0;
  }
  return out;
}
