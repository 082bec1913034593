/** A text that is not valid YAML: the line that has to be changed, what is wrong with it, and nothing that follows from it. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { mistakesOf } from '../../../../src/compiler/yaml/syntax-errors.ts';
import { mistakes, run } from '../helpers.ts';

const told = (text: string): string[] => mistakes(text).map((one) => one.replace('language/yaml ', ''));

describe('indentation', () => {
  test.each([
    [
      'below a value',
      'test:\n  image: alpine\n   script:\n     - x\n',
      '3:4 "script" is indented more than "image" on line 2, which already has a value',
    ],
    [
      'below a list in brackets',
      'test:\n  script: [a]\n   image: alpine\n',
      '3:4 "image" is indented more than "script" on line 2, which already has a value',
    ],
    [
      'with a comment between',
      'test:\n  image: alpine # old\n  # note\n\n   script: [x]\n',
      '5:4 "script" is indented more than "image" on line 2, which already has a value',
    ],
    [
      'less than the others',
      'test:\n  image: alpine\n script: x\n',
      '3:2 "script" is indented by 1 space, and "image" on line 2 by 2',
    ],
    [
      'between two levels',
      'test:\n    script: x\n  image: x\n',
      '3:3 "image" is indented by 2 spaces, and "script" on line 2 by 4',
    ],
    [
      'of an item',
      'test:\n  script:\n    - a\n   - b\n',
      '4:4 "- b" is indented by 3 spaces, and "- a" on line 3 by 4',
    ],
    [
      'in a map of an item',
      'test:\n  rules:\n    - if: $A\n       when: manual\n',
      '4:8 "when" is indented more than "if" on line 3, which already has a value',
    ],
    ['with a tab', 'test:\n\tscript: x\n', '2:1 "script" is indented with a tab'],
    [
      'with the ends of lines of Windows',
      'test:\r\n  image: alpine\r\n   script: x\r\n',
      '3:4 "script" is indented more than "image" on line 2, which already has a value',
    ],
  ])('%s', (_, text, expected) => expect(told(text)).toEqual([expected]));
});

describe('a key without a colon', () => {
  test.each([
    ['before others', 'test:\n  script\n  image: x\n', '2:9 ":" is missing after "script"'],
    ['with a value', 'test:\n  image x\n  script: y\n', '2:8 ":" is missing after "image"'],
    ['after a list', 'test:\n  script:\n    - a\n  image x\n', '4:8 ":" is missing after "image"'],
    ['the name of a job', 'test\n  image: x\n  script: y\n', '1:5 ":" is missing after "test"'],
    ['with a list below it', 'test:\n  image: x\n  script\n    - a\n', '3:9 ":" is missing after "script"'],
    [
      'with a colon that touches the value',
      'test:\n  image:x\n  script: y\n',
      '2:9 a space is missing after "image:"',
    ],
  ])('%s', (_, text, expected) => expect(told(text)).toEqual([expected]));
  test('has the line as it should be', () => {
    const answer = run('test:\n  image x\n  script: y\n');
    expect(answer.kind === 'invalid' && answer.problems[0]?.hint).toBe('Write image: x');
  });
});

test('each part of the file has its own mistake', () => {
  const text = 'a:\n  image: x\n   script: x\nb:\n  script: [x]\nc:\n  image\n  script: x\n';
  expect(told(text)).toEqual([
    '3:4 "script" is indented more than "image" on line 2, which already has a value',
    '7:8 ":" is missing after "image"',
  ]);
});

test('what the lines do not show is told in the words of the library', () => {
  expect(told('a: {script: [x}\n').join()).toContain('not valid YAML');
  expect(told('a: "x\n').join()).toContain('not valid YAML');
});

test('any text has mistakes at places of its own', () => {
  const piece = fc.constantFrom(
    'a:',
    ' ',
    '\n',
    '  ',
    '- ',
    'x',
    ': ',
    '\t',
    '[',
    '"',
    '#',
    '|',
    '\r\n',
    '*a',
    '&a ',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), fc.nat(40), (pieces, offset) => {
      const text = pieces.join('');
      for (const code of ['BAD_INDENT', 'TAB_AS_INDENT'])
        for (const found of mistakesOf(text, [
          { code, message: 'm', offset: Math.min(offset, text.length) },
        ])) {
          expect(found.offset).toBeGreaterThanOrEqual(0);
          expect(found.offset).toBeLessThanOrEqual(text.length);
          expect(found.message).not.toMatch(/undefined|NaN/);
        }
    }),
    { numRuns: 2_000 },
  );
});
