/** Lists in lists, which come from anchors and references, are flattened wherever GitLab does it. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ScriptSpec } from '../../../../src/plan/model/spec.ts';
import { job, jobs, keysOf, mistakes, variable, type Overrides } from '../helpers.ts';

const specOf = (text: string): ScriptSpec => {
  const { spec } = job(text, 'j');
  if (spec.kind !== 'script') throw new Error('not a script');
  return spec;
};

describe('services', () => {
  const text = `.s: {services: [redis, {name: db, variables: {A: shared}}]}
j:
  image: x
  script: x
  services:
    - !reference [.s, services]
    - {name: web, variables: {A: own}}`;
  test('of a reference, each with its own variables', () => {
    const { services } = specOf(text);
    expect(services.map((one) => one.name)).toEqual(['redis', 'db', 'web']);
    const values = services.map((one) => one.variables.map(({ value }) => value));
    expect(values).toEqual([[], [{ literal: 'shared' }], [{ literal: 'own' }]]);
  });
  test('a mistake is told at its place, with what was meant', () => {
    expect(mistakes(text.replace('db, variables', 'db, varables')).join()).toBe(
      'language/unknown-keyword 1:35 services[0][1] has an unknown key "varables"',
    );
  });
});

describe('cache', () => {
  test('of an anchor that is a list', () => {
    const text = `.c: &c [{key: a, paths: [x]}, {key: b, paths: [y]}]
j: {image: x, script: x, cache: [*c, {key: k, paths: [p]}]}`;
    expect(specOf(text).caches?.map((one) => one.paths)).toEqual([['x'], ['y'], ['p']]);
  });
  test('a list in the list counts as one of four, as in GitLab', () => {
    const text = (caches: string): string =>
      `.c: &c [{paths: [x]}, {paths: [y]}]\nj: {image: x, script: x, cache: [${caches}]}`;
    expect(specOf(text('*c, *c, {paths: [z]}')).caches).toHaveLength(5);
    expect(mistakes(text('*c, *c, *c, *c, *c')).join()).toContain('more than four caches');
  });
  test('a path that leads out is told at its place', () => {
    const text =
      'j: {image: x, script: x, cache: [[{key: a, paths: [a]}, {key: b, policy: $P, paths: [b]}]]}\nvariables: {P: no}';
    expect(mistakes(text).join()).toMatch(/^language\/type 1:74 cache.policy/);
  });
});

describe('include', () => {
  const included = { 'l.yml': 'l: {image: x, script: x}', 'm.yml': 'm: {image: x, script: x}' };
  const rules = (condition: string): string =>
    `.r: &r [{if: '${condition}'}]\ninclude: [{local: l.yml, rules: [*r]}]\nj: {image: x, script: x}`;
  test('its rules', () => {
    expect(keysOf(rules('$CI_COMMIT_BRANCH'), { included })).toEqual(['l', 'j']);
    expect(keysOf(rules('$CI_COMMIT_TAG'), { included })).toEqual(['j']);
    expect(mistakes(rules('$A =='), { included }).join()).toContain('language/expression 1:20');
  });
  test('its files', () => {
    expect(keysOf('include: [[l.yml], [[{local: m.yml}]]]\nj: {image: x, script: x}', { included })).toEqual([
      'l',
      'm',
      'j',
    ]);
  });
  test('the file of a child pipeline', () => {
    const text = 'j: {trigger: {include: [[{local: l.yml}], [m.yml]]}}';
    expect(job(text, 'j').spec).toMatchObject({
      to: { include: [{ written: { local: 'l.yml' } }, { written: 'm.yml' }] },
    });
  });
});

test('needs, with the place of each', () => {
  const text =
    'a: {image: x, script: x}\nj: {image: x, script: x, needs: [[a, [{job: b, optional: false}]]]}\nb: {image: x, script: x, only: [tags]}';
  expect(mistakes(text).join()).toMatch(/^language\/absent-job 2:39 "j" needs "b"/);
});

test('links of a release', () => {
  const release = '{tag_name: v, description: d, assets: {links: [[{name: a, url: "https://a"}]]}}';
  const { spec } = job(`j: {image: x, script: x, release: ${release}}`, 'j');
  expect(JSON.stringify(spec)).toContain('https://a');
});

/** A list, with some of its neighbours put into lists of their own. */
type Shape = readonly (number | Shape)[];
const shape = (depth: number): fc.Arbitrary<Shape> =>
  fc.array(depth === 0 ? fc.nat(3) : fc.oneof(fc.nat(3), shape(depth - 1)), { minLength: 1, maxLength: 3 });
const flat = (list: Shape): number[] => list.flatMap((one) => (typeof one === 'number' ? one : flat(one)));

test('any nesting means the flat list, in every keyword', () => {
  const written = (list: Shape, item: (n: number) => string): string =>
    `[${list.map((one) => (typeof one === 'number' ? item(one) : written(one, item))).join(', ')}]`;
  const file = (list: Shape): string => {
    const of = (item: (n: number) => string): string => written(list, item);
    return `j:
  image: x
  script: x
  variables: {D: "${flat(list).at(-1)}"}
  rules: ${of((n) => `{if: '$D == "${n}"', variables: {R: "${n}"}}`)}
  services: ${of((n) => `{name: s${n}, variables: {S: "${n}"}}`)}
  cache: [${of((n) => `{key: c${n}, paths: [p${n}]}`)}]
  tags: [t]`;
  };
  const more: Overrides = {};
  fc.assert(
    fc.property(shape(3), (list) => {
      expect(jobs(file(list), more)).toEqual(jobs(file(flat(list)), more));
    }),
    { numRuns: 100 },
  );
  expect(variable(job(file([[[1]]]), 'j'), 'R')).toBe('1');
});
