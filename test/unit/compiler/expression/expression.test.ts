/** The grammar of rules:if, and the values of expressions. They follow GitLab's own examples. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  evaluate,
  isTruthful,
  type Value,
} from '../../../../src/compiler/expression/expression-evaluator.ts';
import { parseExpression } from '../../../../src/compiler/expression/expression.ts';

const VARIABLES: Readonly<Record<string, string | undefined>> = {
  PRESENT: 'my variable',
  PATH: 'a/path/variable/value',
  FULL: '/a/full/path/variable/value',
  EMPTY: '',
  BLANK: ' ',
  TEXT: 'abcde',
  PATTERN: '/^ab.*/',
  OTHER: '/^at.*/',
};
const lookup = (name: string): string | undefined => VARIABLES[name];

function value(text: string): Value {
  const parsed = parseExpression(text);
  if (!parsed.ok) throw new Error(`${text}: ${parsed.mistake.message} at ${parsed.mistake.at}`);
  return evaluate(parsed.expression, lookup);
}
function truthful(text: string): boolean {
  const parsed = parseExpression(text);
  return parsed.ok && isTruthful(parsed.expression, lookup);
}

describe('operators', () => {
  test.each<[string, Value]>([
    ['$PRESENT == "my variable"', true],
    ["'my variable' == $PRESENT", true],
    ['$PRESENT == null', false],
    ['$EMPTY == null', false],
    ['"" == $EMPTY', true],
    ['$UNSET == null', true],
    ['$PRESENT != "my variable"', false],
    ['$UNSET != null', false],
    ['$PRESENT =~ /var.*e$/', true],
    ['$PRESENT =~ /^var.*/', false],
    ['$PRESENT =~ /VAR.*/i', true],
    ['$EMPTY =~ /var.*/', false],
    ['$UNSET =~ /var.*/', false],
    ['$PATH =~ /path\\/variable/', true],
    ['$FULL =~ /^\\/a\\/full\\/path\\/variable\\/value$/', true],
    ['$PRESENT !~ /var.*e$/', false],
    ['$UNSET !~ /var.*/', true],
    ['$PRESENT && $EMPTY', ''],
    ['$EMPTY && $PRESENT', 'my variable'],
    ['null && $PRESENT', null],
    ['$PRESENT || $UNSET', 'my variable'],
    ['$UNSET || $PRESENT', 'my variable'],
    ['$UNSET == null || $PRESENT', true],
  ])('%s', (text, expected) => expect(value(text)).toBe(expected));
});

describe('a variable as pattern', () => {
  test.each([
    ['$TEXT =~ $PATTERN', true],
    ['$TEXT =~ $OTHER', false],
    ['$TEXT =~ "abcde"', true],
    ['$TEXT =~ $TEXT', true],
    ['$TEXT =~ $UNSET', false],
    ['$TEXT !~ $UNSET', true],
  ])('%s', (text, expected) => expect(truthful(text)).toBe(expected));
});

describe('precedence and parentheses', () => {
  test.each<[string, Value]>([
    ['$PRESENT && null || $EMPTY == ""', true],
    ['(($PRESENT && null) || $EMPTY == "")', true],
    ['$PRESENT && (null || $EMPTY == "")', true],
    ['"1" == "1" || "1" == "2" && "1" == "3"', true],
    ['("1" == "1" || "1" == "2") && "1" == "3"', false],
    ['("string" || "test") == "string"', true],
    ['("string" == "test" || "string")', 'string'],
    ['"string" == ("test" || "string")', false],
  ])('%s', (text, expected) => expect(value(text)).toBe(expected));
});

describe('the result of a whole expression', () => {
  test.each([
    ['$PRESENT', true],
    ['$EMPTY', false],
    ['$BLANK', false],
    ['$UNSET', false],
    ['"text"', true],
    ['null', false],
  ])('%s', (text, expected) => expect(truthful(text)).toBe(expected));
});

test('short circuit: the right side is not evaluated if the left decides', () => {
  const asked: string[] = [];
  const parsed = parseExpression('$A == null || $B == null && $C');
  if (!parsed.ok) throw new Error('not valid');
  isTruthful(parsed.expression, (name) => {
    asked.push(name);
    return undefined;
  });
  expect(asked).toEqual(['A']);
});

describe('mistakes have a place', () => {
  test.each([
    ['', 0, 'is empty'],
    ['$A == ', 6, 'ends where a value is expected'],
    ['$A = "x"', 3, 'has an unexpected "="'],
    ['$A == main', 6, 'has an unexpected "main"'],
    ['${A} == "x"', 0, 'has an unexpected ${A}'],
    ['$A == "x', 6, 'has an unterminated string'],
    ['$A =~ /x', 6, 'has an unterminated pattern'],
    ['($A', 0, 'has an unclosed parenthesis'],
    ['$A)', 2, 'has an extra closing parenthesis'],
    ['$A $B', 3, 'has two values without an operator between them'],
    ['&& $A', 0, 'has && where a value is expected'],
  ])('%s', (text, at, message) =>
    expect(parseExpression(text)).toEqual({ ok: false, mistake: expect.objectContaining({ at, message }) }),
  );
  test('more than a hundred words', () => {
    expect(parseExpression(Array(102).fill('(').join('')).ok).toBe(false);
    expect(parseExpression(`${'$A || '.repeat(49)}$A`).ok).toBe(true);
  });
});

test('no text makes it throw or hang', () => {
  const words = [
    '$A',
    '"x"',
    "'y'",
    '/a+/',
    'null',
    '==',
    '!=',
    '=~',
    '!~',
    '&&',
    '||',
    '(',
    ')',
    ' ',
    '/',
    '"',
    '$',
  ];
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...words), { maxLength: 60 }), (list) => {
      const parsed = parseExpression(list.join(' '));
      if (parsed.ok) isTruthful(parsed.expression, lookup);
      else expect(parsed.mistake.at).toBeLessThanOrEqual(list.join(' ').length);
    }),
    { numRuns: 500 },
  );
  fc.assert(fc.property(fc.string(), (text) => typeof parseExpression(text).ok === 'boolean'));
});

// A backtracking engine would exceed the timeout of the test.
test('a pattern that needs exponential backtracking is matched in linear time', () => {
  const parsed = parseExpression('$A =~ /^(a+)+$/');
  if (!parsed.ok) throw new Error('not valid');
  expect(isTruthful(parsed.expression, () => `${'a'.repeat(5_000)}b`)).toBe(false);
});
