/** Values of inputs: passed, by rule or by default; their types, allowed values, and places of mistakes. */
import { describe, expect, test } from 'vitest';
import type { InputValue } from '../../../../src/plan/model/trigger.ts';
import { run } from '../helpers.ts';
import { filled, problemsOf, withInputs } from './support.ts';

const JOB = 'j: {image: x, script: ["$[[ inputs.a ]]"]}';
const FILE = '.gitlab-ci.yml';
const giving = (inputs: Record<string, InputValue>) => ({ trigger: { inputs } });

describe('the value of an input', () => {
  test.each<[string, string, InputValue | undefined, string]>([
    ['a default', '{a: {default: x}}', undefined, 'x'],
    ['given wins over the default', '{a: {default: x}}', 'y', 'y'],
    ['a null default is nothing', '{a: {default: null}}', undefined, ''],
    ['an empty default', '{a: {default: ""}}', undefined, ''],
    ['null given is not given', '{a: {default: x}}', null, 'x'],
    ['a null default of a number', '{a: {type: number, default: null}}', undefined, ''],
    ['a number for a string is its text', '{a: }', 1.5, '1.5'],
    ['a boolean for a string is its text', '{a: }', true, 'true'],
    ['a default that is a number, for a string', '{a: {default: 1.0}}', undefined, '1.0'],
    ['a text for a number is read as JSON', '{a: {type: number}}', '7', '7'],
    ['a fraction keeps its zero, as in Ruby', '{a: {type: number}}', '2.0', '2.0'],
    ['a text for a boolean', '{a: {type: boolean}}', 'false', 'false'],
    ['a text for an array', '{a: {type: array}}', '["b", 1]', '["b", 1]'],
    ['an option', '{a: {options: [x, 2]}}', '2', '2'],
    ['a numeric option', '{a: {type: number, options: [1, 2]}}', '2', '2'],
    [
      'options of an array hold for its items',
      '{a: {type: array, options: [x, y]}}',
      ['y', 'x'],
      '["y", "x"]',
    ],
    ['a regex is searched for', '{a: {regex: "b+"}}', 'abc', 'abc'],
    ['a description says nothing about it', '{a: {description: Which, default: x}}', undefined, 'x'],
  ])('%s', (_, inputs, given, value) => {
    expect(filled(inputs, '$[[ inputs.a ]]', given === undefined ? {} : giving({ a: given }))).toBe(value);
  });

  test.each<[string, string, Record<string, InputValue>, string]>([
    [
      'a missing one',
      '{a: }',
      {},
      `${FILE}:2:12 the input "a" must be given to this pipeline; there is no default [language/input]`,
    ],
    [
      'several missing ones are one mistake',
      '{a: , b: }',
      {},
      `${FILE}:2:12 the inputs "a", "b" must be given`,
    ],
    ['an unknown one', '{a: {default: x}}', { ab: '1' }, 'input ab:1:1 there is no input "ab" in the file'],
    [
      'no number',
      '{a: {type: number}}',
      { a: 'x' },
      `input a:1:1 the input "a" must be a number, not a string (declared at ${FILE}:2:12)`,
    ],
    ['no boolean', '{a: {type: boolean}}', { a: 'yes' }, 'must be true or false, not a string'],
    ['no array', '{a: {type: array}}', { a: '{}' }, 'must be a list, not a string'],
    ['a list for a string', '{a: }', { a: ['x'] }, 'must be a string, not a list'],
    [
      'a default of another type',
      '{a: {type: number, default: x}}',
      { a: 1 },
      `${FILE}:2:39 the default of the input "a" must be a number, not a string [`,
    ],
    [
      'none of the options',
      '{a: {options: [dev, prod]}}',
      { a: 'prd' },
      'must be one of "dev", "prod", not "prd"',
    ],
    [
      'a default that is not an option',
      '{a: {default: z, options: [x]}}',
      {},
      `${FILE}:2:25 the default of the input "a" must be one of "x", not "z"`,
    ],
    [
      'an item that is not an option',
      '{a: {type: array, options: [x]}}',
      { a: ['x', 'y'] },
      'must be one of "x", not ["x", "y"]',
    ],
    ['no match', '{a: {regex: "^v\\\\d$"}}', { a: 'v10' }, 'must match ^v\\d$, but "v10" does not'],
    [
      'a default that does not match',
      '{a: {default: x, regex: ^v}}',
      { a: 'v' },
      'the default of the input "a" must match ^v',
    ],
    [
      'more than 20',
      '{a: {default: x}}',
      Object.fromEntries(Array.from({ length: 21 }, (_, i) => [`a${i}`, ''])),
      '21 inputs are given; at most 20 are allowed',
    ],
  ])('%s is a mistake', (_, inputs, given, message) => {
    expect(problemsOf(withInputs(inputs, JOB), giving(given)).join('\n')).toContain(message);
  });
  test('a hint names the nearest input, and the nearest option', () => {
    const answer = run(
      withInputs('{env: {options: [staging, production]}}', JOB),
      giving({ evn: 'x', env: 'stagin' }),
    );
    const hints = answer.kind === 'invalid' ? answer.problems.map((one) => one.hint) : [];
    expect(hints).toEqual(['Did you mean "env"?', 'Did you mean "staging"?']);
  });
  test('a file without a header takes no inputs', () => {
    expect(problemsOf('j: {image: x, script: y}', giving({ a: '1' }))).toEqual([
      `input a:1:1 ${FILE} takes no inputs: it has no header with spec:inputs [language/input]`,
    ]);
  });
});

describe('rules of an input', () => {
  const inputs = [
    '{cloud: {options: [aws, gcp], default: aws}, big: {type: boolean, default: false}, size: {rules: [',
    '{if: "$[[ inputs.cloud ]] == \'aws\' && $[[ inputs.big ]] == true", options: [xl, xxl], default: xl},',
    '{if: "$[[ inputs.cloud ]] == \'aws\'", options: [s, m], default: s},',
    '{options: [tiny]}]}}',
  ].join(' ');
  const size = (given: Record<string, InputValue>): string | undefined =>
    filled(inputs, '$[[ inputs.size ]]', giving(given));
  test('the first rule that holds gives options and default', () => {
    expect([size({}), size({ big: true }), size({ size: 'm' }), size({ big: 'true', size: 'xxl' })]).toEqual([
      's',
      'xl',
      'm',
      'xxl',
    ]);
    expect(
      problemsOf(withInputs(inputs, 'j: {image: x, script: y}'), giving({ size: 'xl' })).join(),
    ).toContain('must be one of "s", "m", not "xl"');
  });
  test('without a default it must be given', () => {
    expect(size({ cloud: 'gcp', size: 'tiny' })).toBe('tiny');
    expect(
      problemsOf(withInputs(inputs, 'j: {image: x, script: y}'), giving({ cloud: 'gcp' })).join(),
    ).toContain('the input "size"');
  });
  test('default: null requires it if the rule holds; if none holds it is empty', () => {
    const custom =
      '{kind: {default: standard}, value: {rules: [{if: "$[[ inputs.kind ]] == \'custom\'", default: null}]}}';
    expect(filled(custom, '$[[ inputs.value ]]')).toBe('');
    expect(filled(custom, '$[[ inputs.value ]]', giving({ kind: 'custom', value: 'v' }))).toBe('v');
    expect(
      problemsOf(withInputs(custom, 'j: {image: x, script: y}'), giving({ kind: 'custom' })).join(),
    ).toContain('the input "value"');
  });
  test('a rule may use an input that is declared below it', () => {
    const below =
      '{b: {rules: [{if: "$[[ inputs.a ]] == \'x\'", default: yes!}, {options: [n], default: n}]}, a: {default: x}}';
    expect(filled(below, '$[[ inputs.b ]]')).toBe('yes!');
  });
  test('outside of a header a condition knows no inputs', () => {
    expect(problemsOf('j: {image: x, script: y, rules: [{if: "$[[ inputs.a ]]"}]}').join()).toContain(
      'has an input that is not replaced',
    );
  });
});
