/**
 * What an expression comes to. As in GitLab, whose rules are Ruby's: `&&` and `||` answer one of their operands, an empty
 * string is true to them, and only the whole expression asks for a text that is not blank.
 */
import type { RE2JS } from 're2js';
import type { Expression } from './expression.ts';
import { refPattern } from '../../match/ref-pattern.ts';

export type Value = string | boolean | null;
/** Text of a variable; undefined when it is not set. */
export type Lookup = (name: string) => string | undefined;

/** A text that is set and equal to nothing: of a secret, which is not known here. */
export const OPAQUE = '\u0000';

/** What else a name may stand for: an input can be a boolean. */
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

/** A pattern in slashes is searched for; another text is one that must hold the left side. Nothing matches no pattern. */
function matches(text: string, pattern: Value): boolean {
  if (pattern === null || typeof pattern === 'boolean') return false;
  const regex = compiled(pattern);
  return regex ? regex.matcher(text).find() : pattern.includes(text);
}

/** Patterns are few and asked by many jobs; the oldest goes when there are too many. */
const cache = new Map<string, RE2JS | undefined>();
const MOST = 500;

/** GitLab reads `\/` as a slash. Undefined for a text that is no pattern, or none that RE2 takes. */
function compiled(text: string): RE2JS | undefined {
  if (cache.has(text)) return cache.get(text);
  let regex: RE2JS | undefined;
  try {
    regex = refPattern(text.replaceAll('\\/', '/'));
  } catch {
    // Written in the file it has been reported; the value of a variable that is none is a plain text.
    regex = undefined;
  }
  if (cache.size >= MOST) cache.delete([...cache.keys()][0] ?? '');
  cache.set(text, regex);
  return regex;
}
