/** A problem in an included file names the places that included it. */
import { expect, test } from 'vitest';
import { problemsText } from '../../../../src/cli/view/problems-view.ts';
import { problemText } from '../../../../src/compiler/problems.ts';
import { run } from '../helpers.ts';

const MAIN = '\ninclude: a.yml\nmine: { image: x, script: [x], retry: 7 }';
const included = {
  'a.yml': 'x: { image: x, script: [x] }\ninclude:\n  - local: b.yml',
  'b.yml': 'b:\n  script: [b]\n  retry: 7',
};

test('step by step, in text, in JSON and for people; never for the own file', () => {
  const answer = run(MAIN, { included });
  if (answer.kind !== 'invalid') throw new Error(answer.kind);
  const of = (file: string) => answer.problems.filter(({ place }) => place?.file === file);
  const [nested] = of('b.yml');
  if (!nested) throw new Error('no problem');
  expect(nested.includedFrom).toEqual([
    { file: 'a.yml', line: 3, column: 5 },
    { file: '.gitlab-ci.yml', line: 2, column: 10 },
  ]);
  expect(problemText(nested)).toContain('], included from a.yml:3, .gitlab-ci.yml:2 (');
  expect(problemsText([nested], false)).toContain('\n      included from a.yml:3, .gitlab-ci.yml:2\n');
  expect(of('.gitlab-ci.yml').map(({ includedFrom }) => includedFrom)).toEqual([undefined]);
});
