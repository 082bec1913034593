/**
 * Evaluates an expression. As in GitLab, with the rules of Ruby: `&&` and `||` return one of their operands,
 * for which an empty string is true; only the result of the whole expression must be a text that is not
 * blank.
 */
import type { RE2JS } from 're2js';
import type { Expression } from './expression.ts';
import { refPattern } from '../../match/ref-pattern.ts';

export type Value = string | boolean | null;
/** Text of a variable; undefined when it is not set. */
export type Lookup = (name: string) => string | undefined;

/** Value of a secret, which is not known here: it is set, and equal to nothing. */
export const OPAQUE = '\u0000';

/** An input can also be a boolean. */
type Names = (name: string) => Value | undefined;

export function isTruthful(expression: Expression, lookup: Names): boolean {
  const value = evaluate(expression, lookup);
  return typeof value === 'string' ? value.trim() !== '' : value === true;
}

export function evaluate(expression: Expression, lookup: Names): Value {
  switch (expression.kind) {
    case 'variable':
      return lookup(expression.name) ?? null;
    case 'value':
      return expression.value;
    case 'pattern':
      return expression.text;
    case 'operation':
      return operate(expression, lookup);
  }
}

function operate({ operator, left, right }: Expression & { kind: 'operation' }, lookup: Names): Value {
  const first = evaluate(left, lookup);
  const isTrue = first !== null && first !== false;
  if (operator === '&&') return isTrue ? evaluate(right, lookup) : first;
  if (operator === '||') return isTrue ? first : evaluate(right, lookup);
  const second = evaluate(right, lookup);
  if (operator === '==') return first === second;
  if (operator === '!=') return first !== second;
  const matched = matches(textOf(first), second);
  return operator === '=~' ? matched : !matched;
}

const textOf = (value: Value): string => (value === null ? '' : String(value));

/** A pattern in slashes is searched for; any other text must contain the left side. Null matches nothing. */
function matches(text: string, pattern: Value): boolean {
  if (pattern === null || typeof pattern === 'boolean') return false;
  const regex = compiled(pattern);
  return regex ? regex.matcher(text).find() : pattern.includes(text);
}

/** Few patterns are used by many jobs; the oldest is dropped when there are too many. */
const cache = new Map<string, RE2JS | undefined>();
const MAX_CACHED = 500;

/** GitLab reads `\/` as a slash. Undefined for a text that is not a pattern, or not valid for RE2. */
function compiled(text: string): RE2JS | undefined {
  if (cache.has(text)) return cache.get(text);
  let regex: RE2JS | undefined;
  try {
    regex = refPattern(text.replaceAll('\\/', '/'));
  } catch {
    // A pattern in the file is reported elsewhere; an invalid one in a variable is a plain text.
    regex = undefined;
  }
  if (cache.size >= MAX_CACHED) cache.delete([...cache.keys()][0] ?? '');
  cache.set(text, regex);
  return regex;
}
