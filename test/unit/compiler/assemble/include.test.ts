/** `include` of local files: order, merge, wildcards, cycles, limits, places. */
import { describe, expect, test } from 'vitest';
import { problemText } from '../../../../src/compiler/problems.ts';
import { compileWith, type Files } from '../helpers.ts';

async function wrong(text: string, files: Files): Promise<string[]> {
  const found = await compileWith(text, files);
  return found.kind === 'invalid'
    ? found.problems.map((one) => problemText({ ...one, hint: undefined }))
    : [];
}
async function keys(text: string, files: Files): Promise<string[]> {
  const found = await compileWith(text, files);
  if (found.kind !== 'plan') throw new Error(JSON.stringify(found));
  return found.jobs.map(({ job }) => job.key);
}
const A = { 'a.yml': 'a: {image: x, script: [a]}' };

describe('include', () => {
  test.each([
    ['a string', 'include: a.yml'],
    ['a leading slash', 'include: /a.yml'],
    ['a list', 'include: [a.yml]'],
    ['a map', 'include: {local: a.yml}'],
    ['a variable', 'include: {local: $CI_PROJECT_NAME.yml}'],
  ])('%s', async (_, include) => {
    const files = { ...A, 'table.yml': 'a: {image: x, script: [a]}' };
    expect(await keys(`${include}\nj: {image: x, script: [y]}`, files)).toEqual(['a', 'j']);
  });
  test('the including file wins, later includes win over earlier ones; maps are merged, lists replaced', async () => {
    const files = {
      'a.yml': 'j: {image: a, script: [a1, a2], variables: {A: "a", B: "a", C: "a"}}',
      'b.yml': 'j: {script: [b1], variables: {B: "b", C: "b"}}',
    };
    const found = await compileWith('include: [a.yml, b.yml]\nj: {variables: {C: "own"}}', files);
    const spec = found.kind === 'plan' ? found.jobs[0]?.spec : undefined;
    expect(spec).toMatchObject({ script: ['b1'] });
    const values = spec?.variables.filter(({ name }) => /^[ABC]$/.test(name)).map(({ value }) => value);
    expect(values).toEqual([{ literal: 'a' }, { literal: 'b' }, { literal: 'own' }]);
  });
  test('nested ones; extends and !reference reach across files', async () => {
    const files = {
      'ci/a.yml': 'include: ci/b.yml\n.a: {extends: .b}',
      'ci/b.yml': '.b: {image: x}\n.s: {script: [s]}',
    };
    expect(
      await keys('include: ci/a.yml\nj: {extends: .a, script: [!reference [.s, script]]}', files),
    ).toEqual(['j']);
  });
  test('wildcards: * stops at slashes, ** does not', async () => {
    const job = (name: string): string => `${name}: {image: x, script: [x]}`;
    const files = { 'ci/a.yml': job('a'), 'ci/b.yml': job('b'), 'ci/deep/c.yml': job('c'), 'ci/d.txt': '' };
    expect(await keys('include: ci/*.yml', files)).toEqual(['a', 'b']);
    expect(await keys('include: ci/**.yml', files)).toEqual(['a', 'b', 'c']);
    expect(await keys(`include: none/*.yml\n${job('j')}`, files)).toEqual(['j']);
  });
  test('rules: if and exists', async () => {
    const j = 'j: {image: x, script: [y]}';
    const of = (rules: string): string => `include: [{local: a.yml, rules: ${rules}}]\n${j}`;
    expect(await keys(of('[{if: $CI_COMMIT_BRANCH == "main"}]'), A)).toEqual(['a', 'j']);
    expect(await keys(of('[{if: $CI_COMMIT_BRANCH == "b"}]'), A)).toEqual(['j']);
    expect(await keys(of('[{exists: [a.*]}]'), A)).toEqual(['a', 'j']);
    expect(await keys(of('[{exists: [b.*]}]'), A)).toEqual(['j']);
    expect(await keys(of('[{exists: [a.*], when: never}]'), A)).toEqual(['j']);
  });
  test('a mistake has its place in the included file', async () => {
    const files = { 'ci/a.yml': 'a:\n  image: x\n  script: [a]\n  retry: 7' };
    expect(await wrong('include: ci/a.yml', files)).toEqual([
      'ci/a.yml:4:10 retry must be 0, 1 or 2 [language/type], included from .gitlab-ci.yml:1',
    ]);
  });
  test.each([
    [
      'a file that does not exist',
      'include: [b.yml]',
      {},
      '.gitlab-ci.yml:1:11 the source has no file b.yml [language/include]',
    ],
    ['a path out of the project', 'include: ../b.yml', {}, 'leads out of it [language/include]'],
    ['no YAML extension', 'include: b.txt', {}, 'must end in .yml or .yaml [language/include]'],
    [
      'no map',
      'include: b.yml',
      { 'b.yml': '[a]' },
      'the included file b.yml is not a map of jobs [language/include]',
    ],
    ['broken YAML', 'include: b.yml', { 'b.yml': 'a: [' }, 'b.yml:1:'],
  ])('%s', async (_, text, files, message) => {
    expect((await wrong(`${text}\nj: {image: x, script: [y]}`, files)).join('\n')).toContain(message);
  });
  test('a cycle is reported with its path', async () => {
    const files = { 'a.yml': 'include: b.yml', 'b.yml': 'include: a.yml' };
    expect(await wrong('include: a.yml\nj: {image: x, script: [y]}', files)).toEqual([
      'b.yml:1:10 include forms a cycle: a.yml -> b.yml -> a.yml [language/cycle], included from a.yml:1, .gitlab-ci.yml:1',
    ]);
  });
  test('the limit is 150, and repeated ones count', async () => {
    const of = (count: number): string => `include: [${'a.yml, '.repeat(count)}]`;
    expect(await keys(of(150), A)).toEqual(['a']);
    expect((await wrong(of(151), A)).join()).toContain('more than 150 files are included');
  });
  test('includes that would multiply to 2^60 files end at the limit', async () => {
    const files: Files = {};
    for (let at = 0; at < 60; at += 1) files[`${at}.yml`] = `include: [${at + 1}.yml, ${at + 1}.yml]`;
    files['60.yml'] = 'a: {image: x, script: [a]}';
    expect((await wrong('include: 0.yml', files)).join()).toContain('more than 150');
  });
});
