/** `$[[ … ]]` in a document: where it is replaced, by what, and what stays. */
import { describe, expect, test } from 'vitest';
import { findBlocks } from '../../../../src/compiler/inputs/blocks.ts';
import { compileWith, run } from '../helpers.ts';
import { filled, job, problemsOf, script, texts, withInputs } from './support.ts';

const JOB = 'j: {image: x, script: [y]}';

describe('places where blocks are replaced', () => {
  test('in keys and values, several in one text', () => {
    const text = withInputs(
      '{name: {default: a}, n: {type: number, default: 2}}',
      '"job-$[[ inputs.name ]]":\n  image: x\n  script: ["$[[ inputs.name ]]/$[[inputs.n]] $HOME"]\n',
    );
    expect(script(run(text), 'job-a')).toEqual(['a/2 $HOME']);
  });
  test('a whole value keeps the type of its input', () => {
    const text = withInputs(
      '{b: {type: boolean, default: true}, n: {type: number, default: 2}, l: {type: array, default: [s, t]}}',
      'j:\n  image: x\n  allow_failure: $[[ inputs.b ]]\n  retry: $[[ inputs.n ]]\n  script: $[[ inputs.l ]]\n',
    );
    expect(job(text)).toMatchObject({
      job: { allowFailure: true, retry: { max: 2 } },
      spec: { script: ['s', 't'] },
    });
  });
  test('a list of maps may be given: rules, needs, parallel', () => {
    const text = withInputs(
      '{r: {type: array, default: [{if: $CI, when: manual}]}}',
      'j:\n  image: x\n  script: y\n  rules: $[[ inputs.r ]]\n',
    );
    expect(job(text)?.job).toMatchObject({ when: 'manual' });
  });
  test('a text input that looks like a number stays text', () => {
    const text = withInputs('{v: {default: "012"}}', 'j:\n  image: x\n  script: $[[ inputs.v ]]\n');
    expect(script(run(text))).toEqual(['012']);
  });
  test('inside of a larger text a list is written as in Ruby', () => {
    expect(filled('{l: {type: array, default: [a, 1, true, null, {k: v}]}}', '$[[ inputs.l ]]')).toBe(
      '["a", 1, true, nil, {"k"=>"v"}]',
    );
  });
  test('a replaced value is not evaluated again', () => {
    expect(filled('{a: {default: "$[[ inputs.b ]]"}, b: {default: x}}', '$[[ inputs.a ]]')).toBe(
      '$[[ inputs.b ]]',
    );
  });
  test('matrix blocks are left for needs', () => {
    const text = withInputs(
      '{n: {default: b}}',
      [
        '$[[ inputs.n ]]: {image: x, script: [y], parallel: {matrix: [{OS: [a, c]}]}}',
        'j:',
        '  image: x',
        '  script: [y]',
        '  parallel: {matrix: [{OS: [a, c]}]}',
        '  needs: [{job: b, parallel: {matrix: [{OS: ["$[[ matrix.OS ]]"]}]}}]',
      ].join('\n'),
    );
    expect(job(text, 'j: [a]')?.job.needs).toMatchObject([{ job: 'b: [a]' }]);
  });
  test('blocks of a file without a header stay, with a warning', () => {
    const answer = run('j:\n  image: x\n  script: ["echo $[[ inputs.a ]]"]\n');
    expect(script(answer)).toEqual(['echo $[[ inputs.a ]]']);
    expect(texts(answer)).toEqual([
      '.gitlab-ci.yml:3:18 $[[ inputs.a ]] is not replaced: the file has no header with spec:inputs [language/input]',
    ]);
  });
  test('a key made twice is a warning, the last counts; __proto__ is refused', () => {
    const twice = withInputs('{n: {default: j}}', `${JOB}\n$[[ inputs.n ]]: {image: x, script: [z]}\n`);
    expect(script(run(twice))).toEqual(['z']);
    expect(problemsOf(twice).join()).toContain('language/duplicate-key');
    const proto = withInputs('{n: {default: __proto__}}', `${JOB}\n$[[ inputs.n ]]: {image: x}\n`);
    expect(problemsOf(proto).join()).toContain('language/forbidden-key');
  });
});

describe('blocks', () => {
  test.each([
    ['$[[ inputs.a ]]', ['inputs.a']],
    ['$[[inputs.a]]', ['inputs.a']],
    ['$[[\n inputs.a\n]]', ['inputs.a']],
    ['$[[ inputs.a | truncate(1,2) ]] $[[ inputs.b ]]', ['inputs.a | truncate(1,2)', 'inputs.b']],
    ['$[[ inputs.a\n | b ]]', []],
    ['[[ x ]] $[ y ] $[[ a', []],
    ['$[[ inputs.a ]', []],
  ])('%j', (text, data) => {
    expect(findBlocks(text).map((block) => block.data)).toEqual(data);
  });
  test('a text of many openings is read in linear time', () => {
    expect(findBlocks('$[[ ab '.repeat(150_000))).toHaveLength(0);
    expect(findBlocks(`${'$[[\n ab \n'.repeat(100_000)}${' '.repeat(100_000)}]]`)).toHaveLength(1);
  });
});

describe('mistakes of a block', () => {
  const inputs = '{name: {default: abc}, n: {type: number, default: 1}}';
  test.each([
    [
      'an unknown input',
      '$[[ inputs.nmae ]]',
      'cannot be replaced: the header has no such input. Did you mean "name"?',
    ],
    ['an unknown context', '$[[ input.name ]]', 'uses "input", but only inputs and component are available'],
    ['no context', '$[[ name ]]', 'must name a value like inputs.name, not "name"'],
    ['an unknown function', '$[[ inputs.name | upcase ]]', 'uses an unknown function "upcase"'],
    [
      'wrong arguments',
      '$[[ inputs.name | truncate(1) ]]',
      'uses an unknown function "truncate(1)": write truncate(offset,length)',
    ],
    [
      'four functions',
      '$[[ inputs.name | posix_escape | posix_escape | posix_escape | posix_escape ]]',
      'has 4 functions; at most 3 are allowed',
    ],
    [
      'a function on a number',
      '$[[ inputs.n | truncate(0,1) ]]',
      'applies truncate(0,1) to a number; it takes a string',
    ],
    [
      'a component fact that the header does not ask for',
      '$[[ component.name ]]',
      'cannot be replaced: the header has no such name in spec:component',
    ],
  ])('%s', (_name, block, message) => {
    const text = withInputs(inputs, `j:\n  image: x\n  script:\n    - |\n      true\n      echo ${block}\n`);
    expect(problemsOf(text)).toEqual([`.gitlab-ci.yml:9:12 ${block} ${message} [language/input]`]);
  });
  test('a name past 1 KiB is refused, and shown shortened', () => {
    const text = withInputs(inputs, `j:\n  image: x\n  script: $[[ inputs.${'a'.repeat(1_030)} ]]\n`);
    expect(problemsOf(text).join()).toMatch(/6:11 \$\[\[ inputs.a{40,70}\.\.\. is longer than 1 KiB/);
  });
  test('a mistake in a replaced value has the place of its block', () => {
    const text = withInputs(
      '{n: {default: sometimes}}',
      'j:\n  image: x\n  script: y\n  when: $[[ inputs.n ]]\n',
    );
    expect(problemsOf(text).join()).toMatch(/^.gitlab-ci.yml:7:9 when must be /);
  });
  test('a mistake in a part of a list has the place of the list', async () => {
    const files = {
      'a.yml': withInputs('{l: {type: array}}', 'j:\n  image: x\n  script: y\n  rules: $[[ inputs.l ]]\n'),
    };
    const root = 'include:\n  - local: a.yml\n    inputs:\n      l:\n        - when: sometimes\n';
    expect(texts(await compileWith(root, files)).join()).toMatch(
      /^.gitlab-ci.yml:5:17 rules\[0\].when must be /,
    );
  });
});
