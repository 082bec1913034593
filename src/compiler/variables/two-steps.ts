/**
 * The value of a variable of the file, made in two steps as in GitLab. The server replaces the references that it knows; a
 * reference may stand inside of another one: `${URL_${ENV}}`. The runner reads what is left once more, by the rules of Go's
 * `os.Expand`: whatever stands in braces is a name, `$1` and its like are nothing, `$$` is a dollar. Pure.
 */
import type { Late, Part } from './expand.ts';

/** A value that the second step leaves alone. */
export interface Fixed {
  readonly fixed: string;
}
/** A text is still to be read by the second step. */
export type Piece = string | Fixed | Late;

const FIRST = /\$\$|%%|\$([a-zA-Z_][a-zA-Z0-9_]*)|\$\{([a-zA-Z_][a-zA-Z0-9_]*)\}|%([a-zA-Z_][a-zA-Z0-9_]*)%/g;

/** Replaces references to names that have a value; all others stay. `written` is the whole reference. */
export function firstStep(
  text: string,
  lookup: (name: string, written: string) => readonly Piece[] | undefined,
): Piece[] {
  const pieces: Piece[] = [];
  let from = 0;
  for (const found of text.matchAll(FIRST)) {
    const name = found[1] ?? found[2] ?? found[3];
    const value = name === undefined ? undefined : lookup(name, found[0]);
    if (!value) continue;
    pieces.push(text.slice(from, found.index), ...value);
    from = found.index + found[0].length;
  }
  pieces.push(text.slice(from));
  return pieces;
}

/** Stands for a late part in the text; no variable contains it. */
const HOLE = '\0';

export interface Known {
  /** The value of a name after its first step; undefined when it is not set. */
  valueOf: (name: string) => readonly Part[] | undefined;
  /** What a late part is as far as it is known now, for a name that is built from it. */
  now: (name: string) => string | undefined;
}

export function secondStep(pieces: readonly Piece[], { valueOf, now }: Known): Part[] {
  const { text, lates, isFixed } = joined(pieces);
  const parts: Part[] = [];
  let from = 0;
  let at = 0;
  const take = (end: number): void => {
    if (end > from) parts.push(text.slice(from, end));
  };
  while (at < text.length) {
    const late = text[at] === HOLE ? lates.shift() : undefined;
    if (late) {
      take(at);
      parts.push(late);
      from = at += 1;
    } else if (text[at] === '$' && at + 1 < text.length && !isFixed(at)) {
      const { name, width } = nameAt(text, at + 1);
      if (width > 0) {
        take(at);
        const whole = name.replaceAll(HOLE, () => now(lates.shift()?.late ?? '') ?? '');
        parts.push(...(whole === '$' ? ['$'] : (valueOf(whole) ?? [])));
        from = at + 1 + width;
      }
      at += 1 + width;
    } else at += 1;
  }
  take(text.length);
  return parts;
}

/** The parts of a value after its first step. */
export const partsOfPieces = (pieces: readonly Piece[]): Part[] =>
  pieces.map((piece) => (typeof piece !== 'string' && 'fixed' in piece ? piece.fixed : piece));

interface Joined {
  text: string;
  lates: Late[];
  isFixed: (at: number) => boolean;
}

function joined(pieces: readonly Piece[]): Joined {
  const lates: Late[] = [];
  const fixed: { start: number; end: number }[] = [];
  let text = '';
  for (const piece of pieces)
    if (typeof piece === 'string') text += piece;
    else if ('late' in piece) {
      lates.push(piece);
      text += HOLE;
    } else {
      fixed.push({ start: text.length, end: text.length + piece.fixed.length });
      text += piece.fixed;
    }
  let next = 0;
  return {
    text,
    lates,
    // Asked in ascending order only.
    isFixed: (at) => {
      while ((fixed[next]?.end ?? Infinity) <= at) next += 1;
      return (fixed[next]?.start ?? Infinity) <= at;
    },
  };
}

/** Go's `getShellName`: the name that begins here, and how many characters it takes; none for a plain dollar. */
function nameAt(text: string, at: number): { name: string; width: number } {
  if (text[at] === '{') {
    const end = text.indexOf('}', at);
    // Not closed or empty: the signs are dropped.
    return end === -1 ? { name: '', width: 1 } : { name: text.slice(at + 1, end), width: end - at + 1 };
  }
  const special = /[*#$@!?\d-]/y;
  special.lastIndex = at;
  if (special.test(text)) return { name: text.slice(at, at + 1), width: 1 };
  const word = /\w*/y;
  word.lastIndex = at;
  const name = word.exec(text)?.[0] ?? '';
  return { name, width: name.length };
}
