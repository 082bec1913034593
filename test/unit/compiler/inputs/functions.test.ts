/** Functions of interpolation, compared with GitLab's page. */
import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { posixEscape } from '../../../../src/compiler/inputs/functions.ts';
import type { Overrides } from '../helpers.ts';
import { filled, problemsOf, withInputs } from './support.ts';

const value = (text: string, functions: string, more: Overrides = {}): string | undefined =>
  filled(`{a: {default: ${JSON.stringify(text)}}}`, `$[[ inputs.a | ${functions} ]]`, more);
const variable = (name: string, literal: string, masked = false) => ({
  name,
  value: { literal },
  masked,
  file: false,
});
const project = (...variables: ReturnType<typeof variable>[]) => ({ project: { variables } });

describe('truncate(offset,length)', () => {
  test.each([
    ['0123456789', 'truncate(3,5)', '34567'],
    ['0123456789', 'truncate( 8 , 5 )', '89'],
    ['0123456789', 'truncate(20,5)', ''],
    ['😀é漢x', 'truncate(1,2)', 'é漢'],
    ['abc', 'truncate(0,0)', ''],
  ])('%s %s', (text, functions, result) => {
    expect(value(text, functions)).toBe(result);
  });
});

describe('expand_vars', () => {
  test('known variables, one level; others stay, and so does $$', () => {
    const more = project(variable('ONE', '1 $TWO'), variable('TWO', '2'));
    expect(value('$ONE ${TWO} %TWO% $NONE %d $$', 'expand_vars', more)).toBe('1 $TWO 2 2 $NONE %d $$');
  });
  test('predefined ones that include knows', () => {
    expect(value('$CI_COMMIT_BRANCH $CI_PIPELINE_ID $CI_JOB_NAME', 'expand_vars')).toBe(
      'main $CI_PIPELINE_ID $CI_JOB_NAME',
    );
  });
  test('then the other functions, in their order', () => {
    const more = project(variable('MY_VAR', 'my value'));
    expect(value('test $MY_VAR', 'expand_vars | truncate(5,8)', more)).toBe('my value');
    expect(value('a $MY_VAR', 'expand_vars | posix_escape', more)).toBe('a\\ my\\ value');
    expect(value('a $MY_VAR', 'posix_escape | expand_vars', more)).toBe('a\\ \\my value');
  });
  test('a file variable stays: it is a path that the machine knows, and its content is not for the file', () => {
    const file = { ...variable('CERT', 'content'), file: true };
    expect(value('$CERT', 'expand_vars', project(file))).toBe('$CERT');
  });
  test('a masked one is refused by name, its value not shown', () => {
    const text = withInputs(
      '{a: {default: $TOKEN}}',
      'j: {image: x, script: "$[[ inputs.a | expand_vars ]]"}',
    );
    const found = problemsOf(text, project(variable('TOKEN', 'hunter2hunter2', true)));
    expect(found.join()).toContain('expands the variable TOKEN, which is masked or secret');
    expect(found.join()).not.toContain('hunter2');
  });
});

describe('posix_escape', () => {
  test.each([
    [`it's "$x"`, String.raw`it\'s\ \"\$x\"`],
    ['a-b_c.d,e:f+g/h@i', 'a-b_c.d,e:f+g/h@i'],
    ['', "''"],
    ['a\nb', "a'\n'b"],
  ])('%j', (text, result) => {
    expect(value(text, 'posix_escape')).toBe(result);
  });
  test('for any text, a shell reads the same text', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'grapheme-ascii' }), { maxLength: 40 }), (list) => {
        const texts = list.map((text) => text.replaceAll('\0', ''));
        const words = texts.map(posixEscape).join(' ');
        const out = execFileSync('sh', ['-c', `for x in ${words}; do printf '%s|\\n' "$x"; done`], {
          encoding: 'utf8',
        });
        return texts.length === 0 || out === texts.map((text) => `${text}|\n`).join('');
      }),
      { numRuns: 20 },
    );
  });
});

describe("split('separator')", () => {
  test('parts without spaces around them, empty ones left out', () => {
    expect(value('a, b,,c ', "split(',')")).toBe('["a", "b", "c"]');
    expect(value('a|b', "split('|')")).toBe('["a", "b"]');
  });
  test('a separator must be there', () => {
    const text = withInputs('{a: {default: x}}', `j: {image: x, script: "$[[ inputs.a | split('') ]]"}`);
    expect(problemsOf(text).join()).toContain('uses split without a separator');
  });
});
