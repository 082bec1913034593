/** Parts of keywords whose effect no other test of the language shows. */
import { describe, expect, test } from 'vitest';
import { job, jobs, mistakes, run, variable, type Overrides } from './helpers.ts';

test('a service is made from its map', () => {
  const { spec } = job(
    `j:
  image: x
  script: x
  services:
    - name: db
      entrypoint: [/start]
      docker: {user: "70", platform: linux/arm64}
      pull_policy: never
      variables: {A: {value: "$F", expand: false}, C: {value: "$F"}}
variables: {F: f}`,
    'j',
  );
  expect(spec.kind === 'script' && spec.services).toMatchObject([
    { entrypoint: ['/start'], user: '70', platform: 'linux/arm64', pullPolicy: 'never' },
  ]);
  const values = spec.kind === 'script' ? spec.services[0]?.variables.map((one) => one.value) : [];
  expect(values).toEqual([{ literal: 'f' }, { literal: '$F' }, { literal: 'f' }]);
});

test('description and options of a variable do not change its value', () => {
  const text =
    'variables: {A: {value: b, description: which one, options: [a, b]}}\nj: {image: x, script: x}';
  expect(variable(job(text, 'j'), 'A')).toBe('b');
});

test('a rule brings needs, one of which may be absent', () => {
  const text = `a: {image: x, script: x, artifacts: {paths: [p]}}
j:
  image: x
  script: x
  needs: [a]
  rules:
    - if: $CI
      needs: [{job: a, artifacts: false}, {job: gone, optional: true}]`;
  const { j } = jobs(text);
  expect(j?.job).toMatchObject({
    needs: [{ job: 'a', artifacts: false }],
    artifactsFrom: [],
  });
});

describe('workflow', () => {
  test('a rule of workflow needs changes and files', () => {
    const kind = (rule: string, more: Overrides = {}): string =>
      run(`workflow: {rules: [${rule}]}\nj: {image: x, script: x}`, {
        trigger: { before: 'f'.repeat(40) },
        changed: { '': ['src/a.c'], old: ['docs/b'] },
        files: ['Dockerfile'],
        ...more,
      }).kind;
    expect(kind('{changes: [src/*]}')).toBe('plan');
    expect(kind('{changes: {paths: [docs/*]}}')).toBe('empty');
    expect(kind('{changes: {paths: [docs/*], compare_to: old}}')).toBe('plan');
    expect(kind('{changes: {regexp: "^src/.*c$"}}')).toBe('plan');
    expect(kind('{changes: {regexp: "^docs"}}')).toBe('empty');
    expect(kind('{exists: [Dockerfile], when: always}')).toBe('plan');
    expect(kind('{exists: {paths: [Dockerfile]}, when: never}')).toBe('empty');
    expect(kind('{exists: [Makefile]}')).toBe('empty');
    expect(kind('{exists: {regexp: "^Docker"}}')).toBe('plan');
    expect(kind('{exists: {regexp: "^Make"}}')).toBe('empty');
  });
});

test('an include needs files', () => {
  const names = (paths: string): string[] =>
    Object.keys(
      jobs(`include: [{local: a.yml, rules: [{exists: {paths: [${paths}]}}]}]\nj: {image: x, script: x}`, {
        included: { 'a.yml': 'a: {image: x, script: x}' },
        files: ['a.yml', 'there'],
      }),
    );
  expect(names('there')).toEqual(['a', 'j']);
  expect(names('elsewhere')).toEqual(['j']);
});

test('an input is one of its options, and matches its regex', () => {
  const of = (settings: string, value: string): string[] => {
    const header = `spec:\n  inputs:\n    a:\n      description: which one\n      ${settings}\n---\n`;
    const trigger = { inputs: { a: value } };
    return mistakes(`${header}j: {image: x, script: ["echo $[[ inputs.a ]]"]}`, { trigger });
  };
  expect(of('options: [one, two]', 'one')).toEqual([]);
  expect(of('options: [one, two]', 'three').join()).toMatch(/language\/input .*three/);
  expect(of('regex: ^v[0-9]+$', 'v12')).toEqual([]);
  expect(of('regex: ^v[0-9]+$', 'x12').join()).toMatch(/language\/input .*x12/);
});
