/**
 * `$[[ inputs.NAME | function ]]` in a text. Pure; the shapes and limits are those of GitLab's
 * `Interpolation::Block`.
 */

const OPEN = '$[[';
const CLOSE = ']]';
const MAX_FUNCTIONS = 3;
/** Characters of the name in a block. */
const MAX_ACCESS = 1024;

export interface FoundBlock {
  /** The whole block, with brackets. */
  text: string;
  /** Offset in the text. */
  at: number;
  data: string;
}
export interface Access {
  /** `inputs`, `component`. */
  context: string;
  name: string;
  functions: readonly string[];
}

/**
 * Finds `/\$\[\[\s*(\S.*?\S)\s*\]\]/` in linear time for every text: a closing bracket, what precedes it and
 * the end of a line are searched once each.
 */
export function findBlocks(text: string): FoundBlock[] {
  const blocks: FoundBlock[] = [];
  let close = -1;
  let end = -1;
  let line = -1;
  for (let at = text.indexOf(OPEN); at !== -1; ) {
    const start = skipSpaces(text, at + OPEN.length);
    if (close < start + 2) {
      close = text.indexOf(CLOSE, start + 2);
      end = close;
      while (end > start && isSpace(text.charCodeAt(end - 1))) end -= 1;
    }
    if (close === -1) break;
    if (line !== Number.POSITIVE_INFINITY && line < start) line = lineEnd(text, start);
    const found = end - start >= 2 && line >= end;
    if (found) blocks.push({ text: text.slice(at, close + CLOSE.length), at, data: text.slice(start, end) });
    at = text.indexOf(OPEN, found ? close + CLOSE.length : at + OPEN.length);
  }
  return blocks;
}

function lineEnd(text: string, from: number): number {
  const found = text.indexOf('\n', from);
  return found === -1 ? Number.POSITIVE_INFINITY : found;
}

function skipSpaces(text: string, from: number): number {
  let at = from;
  while (at < text.length && isSpace(text.charCodeAt(at))) at += 1;
  return at;
}
const isSpace = (code: number): boolean => code === 32 || (code >= 9 && code <= 13);

/** The value that a block names and its functions, or what is wrong. */
export function readBlock(data: string): Access | { wrong: string } {
  const [written = '', ...functions] = pieces(data);
  if (written.length > MAX_ACCESS) return { wrong: 'is longer than 1 KiB' };
  const dot = written.indexOf('.');
  if (dot <= 0 || dot === written.length - 1)
    return { wrong: `must name a value like inputs.name, not "${shortened(written)}"` };
  if (functions.length > MAX_FUNCTIONS)
    return { wrong: `has ${functions.length} functions; at most ${MAX_FUNCTIONS} are allowed` };
  return { context: written.slice(0, dot), name: written.slice(dot + 1), functions };
}

/** GitLab leaves these blocks for `needs`, which fills in the values of the job itself. */
export const isMatrix = (data: string): boolean => /^matrix\b/.test(data);

/** Parts between pipes; a pipe in single quotes is a character. */
function pieces(data: string): string[] {
  return (data.match(/(?:'[^']*'|[^|])+|(?=\|\|)/g) ?? []).map((piece) => piece.trim());
}

/** For messages. */
export const shortened = (text: string): string => (text.length > 100 ? `${text.slice(0, 80)}...` : text);
