/** The header of a file: what it may contain, and where a mistake in it is shown. */
import { describe, expect, test } from 'vitest';
import { run } from '../helpers.ts';
import { problemsOf, script, texts, withInputs } from './support.ts';

const JOB = 'j: {image: x, script: ["$[[ inputs.a ]]"]}';
const FILE = '.gitlab-ci.yml';

describe('a file of two documents', () => {
  test.each([
    ['an empty spec', `spec:\n---\nj: {image: x, script: y}\n`],
    ['spec without inputs', `spec: {inputs: }\n---\nj: {image: x, script: y}\n`],
    ['a marker before the header', `---\nspec: {}\n---\nj: {image: x, script: y}\n`],
    ['an empty document between them', `spec: {}\n---\n---\nj: {image: x, script: y}\n`],
    [
      'component facts that no include gives',
      `spec: {component: [name, sha]}\n---\nj: {image: x, script: y}\n`,
    ],
  ])('%s', (_, text) => {
    expect(script(run(text))).toEqual(['y']);
  });
  test.each([
    ['a header alone', 'spec: {inputs: {a: }}\n', `${FILE}:1:1 spec must be in a header`],
    [
      'a header and nothing below',
      'spec: {inputs: {a: }}\n---\n',
      `${FILE}:1:1 ${FILE} has a header but no content`,
    ],
    [
      'three documents',
      'spec: {}\n---\na: 1\n---\nb: 2\n',
      `${FILE}:5:1 ${FILE} has more than two documents`,
    ],
    [
      'something beside spec',
      `spec: {}\nstages: [a]\n---\n${JOB}`,
      `${FILE}:2:1 the header has an unknown key "stages"`,
    ],
    [
      'something beside inputs',
      `spec: {input: {}}\n---\n${JOB}`,
      `${FILE}:1:8 the header.spec has an unknown key "input"`,
    ],
    [
      'spec:include',
      `spec: {include: [a.yml]}\n---\n${JOB}`,
      `${FILE}:1:17 the header.spec.include is refused: GitLab has it`,
    ],
    [
      'an unknown fact',
      `spec: {component: [nme]}\n---\n${JOB}`,
      `${FILE}:1:20 the header.spec.component[0] must be`,
    ],
  ])('%s is a mistake', (_, text, message) => {
    expect(problemsOf(text)[0]).toContain(message);
  });
  test('a second document without a header before it is not read, with a warning', () => {
    const answer = run('j: {image: x, script: y}\n---\nk: {image: x, script: y}\n');
    expect(texts(answer)).toEqual([
      `${FILE}:3:1 GitLab ignores this document: the one before it is not a header with spec [language/yaml]`,
    ]);
  });
});

describe('the header of an input is strict', () => {
  test.each([
    ['an unknown key', '{a: {defualt: x}}', '2:16 the header.spec.inputs.a has an unknown key "defualt"'],
    ['an unknown type', '{a: {type: text}}', '2:22 the header.spec.inputs.a.type must be'],
    ['more than 50 options', `{a: {options: [${'x,'.repeat(51)}]}}`, 'has more than 50 options'],
    ['options of a boolean', '{a: {type: boolean, options: [true]}}', 'options cannot be used with booleans'],
    ['regex of a number', '{a: {type: number, regex: x}}', 'regex is for strings only'],
    [
      'a regex that RE2 has not',
      '{a: {regex: "(?=x)"}}',
      '2:23 the regex of the input "a" is not valid for RE2: (?=x)',
    ],
    [
      'rules beside a default',
      '{a: {default: x, rules: [{options: [x]}]}}',
      'default cannot be used together with "rules"',
    ],
    [
      'rules beside options',
      '{a: {options: [x], rules: [{options: [x]}]}}',
      'options cannot be used together with "rules"',
    ],
    [
      'a rule that says nothing',
      '{b: {default: x}, a: {rules: [{if: "$[[ inputs.b ]]"}]}}',
      'needs "options" or "default"',
    ],
    ['a fallback without options', '{a: {rules: [{default: x}]}}', 'has no "if", so it needs "options"'],
    [
      'a rule about no input',
      '{a: {rules: [{if: "$[[ inputs.b ]]", default: x}]}}',
      'uses the input "b", which does not exist',
    ],
    [
      'a rule about a variable',
      '{a: {rules: [{if: $CI, default: x}]}}',
      'the condition of an input can use only inputs',
    ],
    [
      'a rule that is not an expression',
      '{a: {rules: [{if: "a ==", default: x}]}}',
      '2:30 the condition has an unexpected "a"',
    ],
    [
      'rules in a cycle',
      '{a: {rules: [{if: "$[[ inputs.b ]]", default: x}]}, b: {rules: [{if: "$[[ inputs.a ]]", default: x}]}}',
      'rules of inputs form a cycle: a -> b -> a',
    ],
  ])('%s', (_, inputs, message) => {
    expect(problemsOf(withInputs(inputs, JOB)).join()).toContain(message);
  });
});
