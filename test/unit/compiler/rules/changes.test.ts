/** `changes` and `exists`, in rules and in only/except; GitLab's globs. */
import { describe, expect, test } from 'vitest';
import { factsNeeded } from '../../../../src/compiler/changes-needed.ts';
import { compileGlob } from '../../../../src/match/ruby-glob.ts';
import { keysOf, MERGE, mistakes, request, run, type Overrides } from '../helpers.ts';

const BEFORE = 'b'.repeat(40);
const pushed = (...files: string[]): Overrides => ({ trigger: { before: BEFORE }, changed: { '': files } });
const one = (keys: string): string => `j: {image: x, script: x, ${keys}}`;

describe('globs are those of File.fnmatch', () => {
  test.each([
    ['Dockerfile', 'Dockerfile', true],
    ['Dockerfile', 'a/Dockerfile', false],
    ['*.js', 'a.js', true],
    ['*.js', 'x/a.js', false],
    ['**/*.js', 'a.js', true],
    ['**/*.js', 'x/y/a.js', true],
    ['docs/*', 'docs/a/b', false],
    ['docs/**', 'docs/a', true],
    ['docs/**', 'docs/a/b', false],
    ['docs/**/*', 'docs/a/b', true],
    ['docs/**/*', 'docs/.hidden/.b', true],
    ['*', '.env', true],
    ['a/**/z', 'a/z', true],
    ['{a,b}/*.{c,d}', 'b/x.d', true],
    ['{a,b{1,2}}', 'b2', true],
    ['{a,b}', '{a,b}', false],
    ['?.md', 'a.md', true],
    ['?.md', '/.md', false],
    ['[a-c]x', 'bx', true],
    ['[!a-c]x', 'bx', false],
    ['[^a-c]x', 'dx', true],
    ['\\*.js', '*.js', true],
    ['\\*.js', 'a.js', false],
    ['a.js', 'aXjs', false],
    ['a[', 'a[', false],
    ['a{b', 'a{b', true],
    ['x[z-a]', 'xz', false],
    ['(a|b)+', 'a', false],
  ])('%s and %s', (glob, path, expected) => expect(compileGlob(glob)(path)).toBe(expected));
  // A backtracking matcher would exceed the timeout of the test.
  test('many stars are matched in linear time', () => {
    expect(compileGlob('**/*a*a*a*a*a*a*a*a*a*b')(`${'a/'.repeat(200)}${'a'.repeat(2_000)}`)).toBe(false);
  });
});

describe('rules:changes', () => {
  const text = one('rules: [{changes: ["src/**/*"]}]');
  test('holds when a path has changed', () => {
    expect(keysOf(text, pushed('src/a/b.ts'))).toEqual(['j']);
    expect(keysOf(text, pushed('README.md'))).toEqual([]);
    expect(keysOf(text, pushed())).toEqual([]);
  });
  test('is true for new branches, tags, schedules, web and API', () => {
    const changed = { '': ['README.md'] };
    expect(keysOf(text, { changed })).toEqual(['j']);
    for (const source of ['schedule', 'web', 'api'] as const)
      expect(keysOf(text, { trigger: { source, before: BEFORE }, changed })).toEqual(['j']);
    expect(keysOf(text, { trigger: { source: 'tag', refKind: 'tag', before: BEFORE }, changed })).toEqual([
      'j',
    ]);
  });
  test('compares merge requests, whatever the state before', () => {
    expect(keysOf(text, { trigger: MERGE.trigger, changed: { '': ['src/x'] } })).toEqual(['j']);
    expect(keysOf(text, { trigger: MERGE.trigger, changed: { '': ['x'] } })).toEqual([]);
  });
  test('is true if git does not know', () =>
    expect(keysOf(text, { trigger: { before: BEFORE } })).toEqual(['j']));
  test('if and changes must both hold', () => {
    const both = one('rules: [{if: $A, changes: [a]}]');
    expect(keysOf(both, pushed('a'))).toEqual([]);
    expect(
      keysOf(both, { trigger: { before: BEFORE, variables: { A: '1' } }, changed: { '': ['a'] } }),
    ).toEqual(['j']);
  });
  test('variables in paths', () => {
    const more = `variables: {DIR: lib}\n${one('rules: [{changes: ["$DIR/${CI_COMMIT_BRANCH}/*"]}]')}`;
    expect(keysOf(more, pushed('lib/main/a'))).toEqual(['j']);
    expect(keysOf(more, pushed('lib/a'))).toEqual([]);
  });
  test('compare_to uses that ref, for every source; an unknown ref is an error', () => {
    const more = one('rules: [{changes: {paths: [a], compare_to: $CI_DEFAULT_BRANCH}}]');
    const changed = { main: ['a'], '': [] };
    expect(keysOf(more, { trigger: { before: BEFORE, source: 'api' }, changed })).toEqual(['j']);
    expect(keysOf(more, { trigger: { before: BEFORE }, changed: { main: ['b'], '': ['a'] } })).toEqual([]);
    expect(mistakes(more, { changed: {} })).toEqual([
      'language/unknown-ref 1:69 compare_to: the repository has no ref "main"',
    ]);
  });
  test('more than 50,000 comparisons count as a match', () => {
    const many = Array.from({ length: 50_001 }, (_, index) => `x/${index}`);
    expect(keysOf(one('rules: [{changes: ["y/*"]}]'), pushed(...many))).toEqual(['j']);
    expect(keysOf(one('rules: [{changes: [y]}]'), pushed(...many))).toEqual([]);
  });
  test('what davit does not support is refused by name', () => {
    expect(mistakes(one('rules: [{changes: {paths: [a], regexp: b}}]')).join()).toContain(
      '"paths" or "regexp"',
    );
    expect(mistakes(one('rules: [{exists: {ref: main}}]')).join()).toContain('"paths" or "regexp"');
    expect(mistakes(one('rules: [{exists: {paths: [a], ref: main}}]')).join()).toContain(
      'requires "project"',
    );
    expect(mistakes(one("rules: [{exists: {regexp: '(?!a)'}}]")).join()).toContain(
      'not a valid regular expression',
    );
    expect(mistakes(one(`rules: [{changes: [${'a,'.repeat(51)}]}]`)).join()).toContain(
      'not have more than 50',
    );
  });
});

describe('regexp', () => {
  test('of changes: any path that contains a match', () => {
    const text = one("rules: [{changes: {regexp: '^src/.*\\.(rb|py)$'}}]");
    expect(keysOf(text, pushed('README.md', 'src/a/b.py'))).toEqual(['j']);
    expect(keysOf(text, pushed('lib/src/b.py', 'src/b.pyc'))).toEqual([]);
    expect(keysOf(text)).toEqual(['j']);
  });
  test('of exists, and of changes since a ref', () => {
    const text = one("rules: [{exists: {regexp: 'ocker'}}]");
    expect(keysOf(text, { files: ['a/Dockerfile'] })).toEqual(['j']);
    expect(keysOf(text, { files: ['Makefile'] })).toEqual([]);
    const since = one('rules: [{changes: {regexp: a, compare_to: main}}]');
    expect(keysOf(since, { changed: { main: ['b'] } })).toEqual([]);
    expect(keysOf(since, { changed: { main: ['ba'] } })).toEqual(['j']);
  });
});

describe('exists:project', () => {
  const text = one('rules: [{exists: {paths: [go.mod], project: group/$NAME, ref: v1}}]');
  const more = { trigger: { variables: { NAME: 'lib' } } };
  test('asks that project at that ref, and not the own source', () => {
    expect(factsNeeded(request(text, more))).toEqual({
      changed: [],
      files: false,
      elsewhere: [{ key: 'group/lib@v1', project: 'group/lib', ref: 'v1' }],
    });
    expect(keysOf(text, { ...more, files: ['go.mod'], elsewhere: { 'group/lib@v1': ['x'] } })).toEqual([]);
    expect(keysOf(text, { ...more, elsewhere: { 'group/lib@v1': ['go.mod'] } })).toEqual(['j']);
  });
  test('an unknown project is an error; an unread one is a warning', () => {
    expect(mistakes(text, { ...more, elsewhere: { 'group/lib@v1': null } })).toEqual([
      'language/unknown-ref 1:70 exists: the project "group/lib" at "v1" does not exist, or this pipeline may not read it',
    ]);
    expect(run(`k: {image: x, script: x}\n${text}`, more)).toMatchObject({
      kind: 'plan',
      warnings: [{ code: 'language/unknown-ref' }],
    });
    const workflow = `workflow: {rules: [{exists: {paths: [a], project: g/x}}]}\n${one('stage: test')}`;
    expect(mistakes(workflow, { elsewhere: { 'g/x@': null } }).join()).toContain('language/unknown-ref');
  });
});

describe('rules:exists', () => {
  test('a path with a slash at its end is a folder', () => {
    const text = one('rules: [{exists: [src/lib/, "te*/"]}]');
    expect(keysOf(text, { files: ['src/lib/a/b.c'] })).toEqual(['j']);
    expect(keysOf(text, { files: ['tests/x'] })).toEqual(['j']);
    expect(keysOf(text, { files: ['src/lib', 'lib/x'] })).toEqual([]);
  });
  test('more than 50,000 comparisons count as a match', () => {
    const files = Array.from({ length: 50_001 }, (_, index) => `x/${index}`);
    expect(keysOf(one('rules: [{exists: ["y/*"]}]'), { files })).toEqual(['j']);
    expect(keysOf(one('rules: [{exists: ["y/*"]}]'), { files: files.slice(1) })).toEqual([]);
  });
  test('holds when a file is there, whatever the source', () => {
    const text = one('rules: [{exists: ["**/Dockerfile", "$CI_PROJECT_NAME.md"]}]');
    expect(keysOf(text, { files: ['a/Dockerfile'] })).toEqual(['j']);
    expect(keysOf(text, { files: ['table.md'] })).toEqual(['j']);
    expect(keysOf(text, { files: ['x'] })).toEqual([]);
    expect(keysOf(text, { files: [] })).toEqual([]);
  });
  test('in workflow', () => {
    const text = `workflow: {rules: [{exists: [go.mod]}]}\n${one('stage: test')}`;
    expect(keysOf(text, { files: ['go.mod'] })).toEqual(['j']);
    expect(keysOf(text, { files: [] })).toEqual([]);
  });
});

describe('only keys are ANDed, entries ORed, any except key excludes', () => {
  const text = one('only: {refs: [main, dev], variables: [$A, $B], changes: [x, y]}');
  const at = (ref: string, variables: Record<string, string>, ...files: string[]): string[] =>
    keysOf(text, { trigger: { ref, before: BEFORE, variables }, changed: { '': files } });
  test('only', () => {
    expect(at('dev', { B: '1' }, 'y')).toEqual(['j']);
    expect(at('other', { B: '1' }, 'y')).toEqual([]);
    expect(at('dev', {}, 'y')).toEqual([]);
    expect(at('dev', { A: '1' }, 'z')).toEqual([]);
  });
  test('except', () => {
    const not = one('except: {refs: [dev], variables: [$A], changes: [x]}');
    const against = (ref: string, variables: Record<string, string>, ...files: string[]): string[] =>
      keysOf(not, { trigger: { ref, before: BEFORE, variables }, changed: { '': files } });
    expect(against('main', {}, 'y')).toEqual(['j']);
    expect(against('dev', {}, 'y')).toEqual([]);
    expect(against('main', { A: '1' }, 'y')).toEqual([]);
    expect(against('main', {}, 'x')).toEqual([]);
  });
  test('only without refs still means branches and tags', () => {
    expect(keysOf(one('only: {variables: [$CI]}'), { trigger: MERGE.trigger })).toEqual([]);
    expect(
      keysOf(one('only: {refs: [merge_requests], changes: [a]}'), {
        trigger: MERGE.trigger,
        changed: { '': ['a'] },
      }),
    ).toEqual(['j']);
  });
  test('there is never an active cluster', () => {
    expect(keysOf(one('only: {kubernetes: active}'))).toEqual([]);
    expect(keysOf(one('except: {kubernetes: active}'))).toEqual(['j']);
    expect(mistakes(one('only: {kubernetes: idle}')).join()).toContain('must be "active"');
  });
  test('expressions are checked with their place', () =>
    expect(mistakes(one('only: {variables: [$A, $B = 1]}'))).toEqual([
      'language/expression 1:52 only.variables has an unexpected "="',
    ]));
});

describe('git is queried only if a condition needs it', () => {
  const needs = (text: string, more: Overrides = {}) => factsNeeded(request(text, more));
  test('nothing, before, refs, files', () => {
    expect(needs(one('stage: test'))).toEqual({ changed: [], files: false });
    expect(needs(one('rules: [{changes: [a]}]'))).toEqual({ changed: [], files: false });
    expect(needs(one('rules: [{changes: [a]}]'), pushed())).toEqual({ changed: [''], files: false });
    expect(needs(one('only: {changes: [a]}'), pushed())).toEqual({ changed: [''], files: false });
    expect(needs(one('rules: [{changes: {paths: [a], compare_to: $CI_DEFAULT_BRANCH}}]'))).toEqual({
      changed: ['main'],
      files: false,
    });
    expect(needs(`workflow: {rules: [{exists: [a]}]}\n${one('stage: test')}`)).toEqual({
      changed: [],
      files: true,
    });
  });
  test('a file with mistakes needs nothing', () =>
    expect(needs('changes: [')).toEqual({ changed: [], files: false }));
});
