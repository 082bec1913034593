/** `inputs` of an include: each use of a file has its own. */
import { describe, expect, test } from 'vitest';
import { ContentReader, type ComponentFacts } from '../../../../src/compiler/inputs/content.ts';
import { Problems } from '../../../../src/compiler/problems.ts';
import { plain } from '../../../../src/compiler/yaml/nodes.ts';
import { compileWith, request } from '../helpers.ts';
import { script, texts, withInputs } from './support.ts';

const FILE = '.gitlab-ci.yml';

describe('component facts', () => {
  const text =
    'spec: {component: [name, version]}\n---\nj: {image: "$[[ component.name ]]:$[[ component.version ]]."}\n';
  const facts = { name: 'lint', sha: 'a'.repeat(40), version: null, reference: 'main' };
  const read = (file: string, component?: ComponentFacts) => {
    const problems = new Problems();
    const root = new ContentReader(request(''), problems).read({ name: 'c.yml', text: file }, { component });
    return { content: root && plain(root), problems: problems.all().map(({ message }) => message) };
  };
  test('facts that the header declares are filled in; a missing version is empty', () => {
    expect(read(text, facts)).toEqual({ content: { j: { image: 'lint:.' } }, problems: [] });
  });
  test('undeclared facts are unknown, and so are all in a file that is not a component', () => {
    expect(read(text.replace('version]', 'sha]'), facts).problems).toEqual([
      '$[[ component.version ]] cannot be replaced: the header has no such name in spec:component',
    ]);
    expect(read(text).problems).toHaveLength(2);
  });
});

describe('include:inputs', () => {
  const lib = withInputs(
    '{name: , stage: {default: test}, n: {type: number, default: 1}}',
    '"$[[ inputs.name ]]":\n  image: x\n  stage: $[[ inputs.stage ]]\n  script: ["go $[[ inputs.n ]]"]\n',
  );
  const root = (...includes: string[]): string =>
    `include:\n${includes.map((one) => `  - ${one}\n`).join('')}`;
  test('a file that is included twice is filled in twice', async () => {
    const answer = await compileWith(
      root('{local: a.yml, inputs: {name: one}}', '{local: a.yml, inputs: {name: two, n: 2}}'),
      { 'a.yml': lib },
    );
    expect([script(answer, 'one'), script(answer, 'two')]).toEqual([['go 1'], ['go 2']]);
  });
  test('a file passes its own on, also into the include; files below it do not see them', async () => {
    const files = {
      'a.yml': withInputs(
        '{file: , who: }',
        'include:\n  - local: $[[ inputs.file ]]\n    inputs: {name: "$[[ inputs.who ]]-job"}\n',
      ),
      'b.yml': lib,
    };
    const answer = await compileWith(root('{local: a.yml, inputs: {file: b.yml, who: ada}}'), files);
    expect(script(answer, 'ada-job')).toEqual(['go 1']);
    const unseen = {
      ...files,
      'b.yml': withInputs('{name: }', 'j: {image: x, script: "$[[ inputs.who ]]"}'),
    };
    expect(
      texts(await compileWith(root('{local: a.yml, inputs: {file: b.yml, who: ada}}'), unseen)).join(),
    ).toContain('b.yml:4:24 $[[ inputs.who ]] cannot be replaced: the header has no such input');
  });
  test('the inputs of the run are for the pipeline file alone', async () => {
    const text = withInputs('{name: {default: x}}', root('{local: a.yml}'));
    const answer = await compileWith(text, { 'a.yml': lib }, { trigger: { inputs: { name: 'given' } } });
    expect(texts(answer).join()).toContain(
      '.gitlab-ci.yml:5:5 the input "name" (a.yml:2:12) must be given here',
    );
  });
  test.each([
    [
      'a missing one',
      '{local: a.yml}',
      `${FILE}:2:5 the input "name" (a.yml:2:12) must be given here; there is no default`,
    ],
    ['an unknown one', '{local: a.yml, inputs: {name: x, stge: y}}', `${FILE}:2:38 there is no input "stge"`],
    [
      'a wrong one',
      '{local: a.yml, inputs: {name: x, n: many}}',
      `${FILE}:2:41 the input "n" must be a number, not a string (declared at a.yml:2:44)`,
    ],
    [
      'inputs for a file without a header',
      '{local: b.yml, inputs: {name: x}}',
      `${FILE}:2:29 b.yml takes no inputs: it has no header`,
    ],
    ['inputs that are no map', '{local: b.yml, inputs: [x]}', `${FILE}:2:28 include[0].inputs must be`],
    [
      'a header and nothing below it',
      '{local: c.yml}',
      'c.yml:1:1 c.yml has a header but no content below ---',
    ],
  ])('%s is a mistake', async (_, include, message) => {
    const files = { 'a.yml': lib, 'b.yml': 'b: {image: x, script: y}', 'c.yml': 'spec: {}\n---\n' };
    expect(texts(await compileWith(`${root(include)}j: {image: x, script: y}`, files)).join('\n')).toContain(
      message,
    );
  });
  test('empty inputs and a file without a header go together', async () => {
    const answer = await compileWith(root('{local: b.yml, inputs: {}}'), {
      'b.yml': 'b: {image: x, script: y}',
    });
    expect(script(answer, 'b')).toEqual(['y']);
  });
  test('variables in passed values are left for the job', async () => {
    const answer = await compileWith(root('{local: a.yml, inputs: {name: j, stage: test, n: 3}}'), {
      'a.yml': lib.replace('go', '$[[ inputs.name ]] $CI_COMMIT_SHA'),
    });
    expect(script(answer)).toEqual(['j $CI_COMMIT_SHA 3']);
  });
});
