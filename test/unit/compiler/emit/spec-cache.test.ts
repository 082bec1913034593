import { describe, expect, test } from 'vitest';
import type { CacheSpec } from '../../../../src/plan/model/spec.ts';
import { factsNeeded } from '../../../../src/compiler/changes-needed.ts';
import { job, mistakes, request, run } from '../helpers.ts';

function caches(text: string): CacheSpec[] | undefined {
  const { spec } = job(text, 'j');
  return spec.kind === 'script' ? spec.caches : undefined;
}
const of = (cache: string, more = ''): CacheSpec[] | undefined =>
  caches(`j: {image: x, script: x, cache: ${cache}${more}}`);

describe('cache', () => {
  test("has GitLab's defaults", () => {
    expect(of('{paths: [node_modules/]}')).toEqual([
      {
        key: 'default',
        paths: ['node_modules/'],
        untracked: false,
        unprotect: false,
        policy: 'pull-push',
        when: 'on_success',
        fallbackKeys: [],
      },
    ]);
  });
  test('without paths there is no cache', () => {
    expect(of('{key: a}')).toBeUndefined();
    expect(of('[]')).toBeUndefined();
  });
  test('variables are replaced in key, prefix, fallback keys, paths and policy', () => {
    const text = `{key: "$CI_COMMIT_REF_SLUG", paths: ["$DIR/x", "$CI_PROJECT_DIR/y"], policy: $P, fallback_keys: [a-$DIR]}`;
    expect(of(text, ', variables: {DIR: deps, P: pull}')).toMatchObject([
      { key: 'main', paths: ['deps/x', 'y'], policy: 'pull', fallbackKeys: ['a-deps'] },
    ]);
    expect(
      of('{key: {files: [a.lock, "$D/b"], prefix: $CI_JOB_NAME}, paths: [x]}', ', variables: {D: d}'),
    ).toMatchObject([{ key: 'j', keyFiles: ['a.lock', 'd/b'] }]);
    expect(of('{key: "$CI_JOB_ID", paths: [x]}')).toMatchObject([{ key: '${CI_JOB_ID}' }]);
  });
  test('key:files_commits: the last commits of these files, whatever their content', () => {
    const text =
      'j: {image: x, script: x, cache: {key: {files_commits: [a.lock, "b/*"], prefix: $CI_JOB_NAME}, paths: [x]}}';
    const keyOf = (lastCommits: Record<string, string>): unknown => {
      const { spec } = job(text, 'j', { lastCommits });
      return spec.kind === 'script' && spec.caches?.[0]?.key;
    };
    const [one, two] = ['1'.repeat(40), '2'.repeat(40)];
    expect(keyOf({ 'a.lock': one, 'b/*': two })).toBe(`j-${one}-${two}`);
    expect(keyOf({ 'b/*': two })).toBe(`j-${two}`);
    expect(keyOf({})).toBe('j-default');
    expect(factsNeeded(request(text)).lastCommits).toEqual(['a.lock', 'b/*']);
  });
  test('of the file or of default is taken whole, and replaced whole', () => {
    const text =
      'cache: {key: a, paths: [x]}\nj: {image: x, script: x}\nk: {image: x, script: x, cache: {paths: [y]}}';
    expect(caches(text)).toMatchObject([{ key: 'a' }]);
    const { spec } = job(text, 'k');
    expect(spec.kind === 'script' && spec.caches).toMatchObject([{ key: 'default', paths: ['y'] }]);
    expect(caches(`default:\n  ${text.split('\n')[0]}\nj: {image: x, script: x}`)).toMatchObject([
      { key: 'a' },
    ]);
  });
  test('what GitLab refuses is refused', () => {
    const wrong = (cache: string): string[] => mistakes(`j: {image: x, script: x, cache: ${cache}}`);
    expect(wrong('{key: a/b, paths: [x]}')).toEqual(['language/type 1:39 cache.key must not contain a "/"']);
    expect(wrong('{key: .., paths: [x]}')).toEqual([
      'language/type 1:39 cache.key must not consist only of dots',
    ]);
    expect(wrong('{key: {prefix: a}, paths: [x]}')).toEqual([
      'language/type 1:39 cache.key needs "files" or "files_commits"',
    ]);
    expect(wrong('{key: {files: [a, b, c]}, paths: [x]}')).toEqual([
      'language/type 1:47 cache.key.files must not name more than two files or patterns',
    ]);
    expect(wrong('{key: {files_commits: [a], files: [b]}, paths: [x]}').join()).toContain('keep one');
    expect(wrong('{policy: push-pull, paths: [x]}')).toEqual([
      'language/type 1:42 cache.policy must be "pull-push", "pull", "push" or a variable',
    ]);
    expect(wrong('{policy: $CI_JOB_NAME, paths: [x]}')).toEqual([
      'language/type 1:42 cache.policy of "j" must be "pull-push", "pull" or "push", not "j"',
    ]);
    expect(wrong('[{}, {}, {}, {}, {}]')[0]).toContain('must not have more than four caches');
  });
  test('a path that leads out of the project is a warning', () => {
    const answer = run('j: {image: x, script: x, cache: {paths: [/root/.m2, ok]}}');
    expect(answer.kind === 'plan' && answer.warnings.map((one) => one.code)).toEqual(['language/path']);
  });
  test('a job without a container of its own has none', () => {
    expect(mistakes('j: {build: {}, cache: {paths: [x]}}')[0]).toContain('so it cannot have cache');
    expect(run('cache: {paths: [x]}\nj: {build: {}}').kind).toBe('plan');
  });
});
