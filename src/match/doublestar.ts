/**
 * Patterns of `artifacts` and `cache`, as GitLab's runner matches them with the Go library doublestar: `*` and `?` within a
 * name (dots too), `**` for any folders where it is a whole name, `[a-z]`, `[!a]`, `{one,two}`, and `\` before a character.
 * Pure. The runner walks a tree name by name; so does this, which tells as well where a walk may lead.
 */
type Step = '**' | ((name: string) => boolean);

export interface Glob {
  /** `isFolder`: `a/**` is the folder `a` and all in it, but not a file `a`. */
  matches(path: string, isFolder: boolean): boolean;
  /** A path below this one may match. */
  leadsBelow(path: string): boolean;
}

/** Undefined: not a valid pattern, which matches nothing. A pattern is without `.` and `..`, see `patternIn`. */
export function doublestar(pattern: string): Glob | undefined {
  const ways: Step[][] = [];
  for (const way of alternatives(pattern) ?? [undefined]) {
    const steps = way === undefined ? undefined : stepsOf(way);
    if (!steps) return undefined;
    ways.push(steps);
  }
  return {
    matches: (path, isFolder) =>
      ways.some((steps) => {
        const after = walk(steps, path);
        return after.has(steps.length) || (isFolder || after.has(-1) ? endsOpen(steps, after) : false);
      }),
    leadsBelow: (path) =>
      ways.some((steps) => [...walk(steps, path)].some((at) => at >= 0 && at < steps.length)),
  };
}

/** A final `**` has taken at least one name, or stands behind a folder. */
const endsOpen = (steps: readonly Step[], after: ReadonlySet<number>): boolean =>
  steps.at(-1) === '**' && after.has(steps.length - 1);

/**
 * The steps that may come next after the names of a path. -1: a final `**` has taken the last name, so that a file counts
 * as well.
 */
function walk(steps: readonly Step[], path: string): ReadonlySet<number> {
  let at = withSkips(steps, new Set([0]));
  for (const name of path === '' ? [] : path.split('/')) {
    const next = new Set<number>();
    for (const index of at) {
      const step = steps[index];
      if (step === '**') {
        next.add(index);
        if (index === steps.length - 1) next.add(-1);
      } else if (step?.(name)) next.add(index + 1);
    }
    at = withSkips(steps, next);
  }
  return at;
}

/** `**` may stand for no folder at all, unless it is the last step: then a folder must be there. */
function withSkips(steps: readonly Step[], at: Set<number>): Set<number> {
  for (const index of at) if (steps[index] === '**' && index < steps.length - 1) at.add(index + 1);
  return at;
}

function stepsOf(pattern: string): Step[] | undefined {
  const steps: Step[] = [];
  for (const part of pattern.split('/')) {
    const step = part === '**' ? part : nameTest(part);
    if (!step) return undefined;
    // `**/**` is `**`.
    if (step !== '**' || steps.at(-1) !== '**') steps.push(step);
  }
  return steps;
}

function nameTest(part: string): ((name: string) => boolean) | undefined {
  let source = '';
  for (let at = 0; at < part.length; ) {
    const taken = term(part, at);
    if (!taken) return undefined;
    source += taken.source;
    at = taken.end;
  }
  const expression = new RegExp(`^(?:${source})$`, 'su');
  return (name) => expression.test(name);
}

type Taken = { source: string; end: number };

function term(part: string, at: number): Taken | undefined {
  const sign = String.fromCodePoint(part.codePointAt(at) ?? 0);
  if (sign === '*') return { source: '.*', end: at + 1 };
  if (sign === '?') return { source: '.', end: at + 1 };
  if (sign === '[') return characterClass(part, at + 1);
  if (sign === '}') return undefined; // without a beginning
  return sign === '\\' ? escaped(part, at) : { source: literal(sign), end: at + sign.length };
}

function escaped(part: string, at: number): Taken | undefined {
  const point = part.codePointAt(at + 1);
  if (point === undefined) return undefined;
  const sign = String.fromCodePoint(point);
  return { source: literal(sign), end: at + 1 + sign.length };
}

/** `[…]` from behind its bracket. Undefined if it is empty or has no end. */
function characterClass(part: string, from: number): Taken | undefined {
  const negated = part[from] === '!' || part[from] === '^';
  let at = negated ? from + 1 : from;
  let source = '';
  let low: string | undefined;
  for (let inRange = false; part[at] !== ']'; ) {
    const sign = signAt(part, at);
    if (!sign) return undefined;
    at = sign.end;
    if (sign.text === '-' && !sign.escaped && low !== undefined && part[at] !== ']') {
      inRange = true;
      continue;
    }
    if (inRange && low !== undefined) {
      // A range that ends before it begins has nothing in it.
      if ((low.codePointAt(0) ?? 0) <= (sign.text.codePointAt(0) ?? 0)) source += `-${literal(sign.text)}`;
      low = undefined;
    } else {
      source += literal(sign.text);
      low = sign.text;
    }
    inRange = false;
  }
  return source === '' ? undefined : { source: `[${negated ? '^' : ''}${source}]`, end: at + 1 };
}

function signAt(part: string, at: number): { text: string; end: number; escaped: boolean } | undefined {
  const isEscaped = part[at] === '\\';
  const start = isEscaped ? at + 1 : at;
  const point = part.codePointAt(start);
  if (point === undefined) return undefined;
  const text = String.fromCodePoint(point);
  return { text, end: start + text.length, escaped: isEscaped };
}

const literal = (sign: string): string => `\\u{${(sign.codePointAt(0) ?? 0).toString(16)}}`;

/** A pattern without `{…}`; more are refused, because nested ones multiply. */
const MAX_ALTERNATIVES = 10_000;

/** `a{b,c{d,e}}` is `ab`, `acd`, `ace`. Undefined if a brace has no end, or there are too many. */
function alternatives(pattern: string): string[] | undefined {
  const done: string[] = [];
  const open = [pattern];
  for (let text = open.pop(); text !== undefined; text = open.pop()) {
    const from = braceIn(text);
    if (from === -1) {
      done.push(text);
      continue;
    }
    const choices = choicesOf(text, from + 1);
    if (!choices || open.length + done.length + choices.texts.length > MAX_ALTERNATIVES) return undefined;
    for (const choice of choices.texts) open.push(text.slice(0, from) + choice + text.slice(choices.end));
  }
  return done.reverse();
}

/** The first `{` that is neither escaped nor in `[…]`. */
function braceIn(text: string): number {
  for (let at = 0; at < text.length; at += 1) {
    if (text[at] === '\\') at += 1;
    else if (text[at] === '{') return at;
    else if (text[at] === '[') at = (characterClass(text, at + 1)?.end ?? at + 1) - 1;
  }
  return -1;
}

function choicesOf(text: string, from: number): { texts: string[]; end: number } | undefined {
  const texts: string[] = [];
  let depth = 1;
  let start = from;
  for (let at = from; at < text.length; at += 1) {
    const sign = text[at];
    if (sign === '\\') at += 1;
    else if (sign === '{') depth += 1;
    else if (sign === ',' && depth === 1) {
      texts.push(text.slice(start, at));
      start = at + 1;
    } else if (sign === '}' && --depth === 0)
      return { texts: [...texts, text.slice(start, at)], end: at + 1 };
  }
  return undefined;
}
