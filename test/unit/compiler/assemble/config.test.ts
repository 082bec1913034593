import { describe, expect, test } from 'vitest';
import { job, jobs, mistakes, variable } from '../helpers.ts';

const script = (text: string, key: string): unknown => {
  const { spec } = job(text, key);
  return spec.kind === 'script' ? spec : undefined;
};

describe('extends', () => {
  test('merges maps deeply, replaces lists, and the child wins', () => {
    const text = `
.base: {image: a, tags: [x, y], variables: {A: "1", B: "1"}, script: [base]}
job: {extends: .base, tags: [z], variables: {B: "2", C: "2"}}`;
    const compiled = job(text, 'job');
    expect(compiled.job.tags).toEqual(['z']);
    expect(['A', 'B', 'C'].map((name) => variable(compiled, name))).toEqual(['1', '2', '2']);
    expect(compiled.spec).toMatchObject({ script: ['base'] });
  });
  test('of several parents the later wins, whatever is nested in them', () => {
    const text = `
.a: {image: a, script: [a], variables: {X: a, Y: a}}
.b: {extends: .a, variables: {X: b}}
.c: {script: [c], variables: {X: c}}
job: {extends: [.b, .c]}`;
    const compiled = job(text, 'job');
    expect(compiled.spec).toMatchObject({ image: { name: 'a' }, script: ['c'] });
    expect(['X', 'Y'].map((name) => variable(compiled, name))).toEqual(['c', 'a']);
  });
  test('null removes a keyword', () => {
    const text = `
.a: {image: a, script: [a], tags: [x], variables: {X: a}}
job: {extends: .a, tags: null, variables: null}`;
    expect(job(text, 'job').job.tags).toEqual([]);
    expect(variable(job(text, 'job'), 'X')).toBeUndefined();
  });
  test('eleven levels are fine, twelve are refused', () => {
    const chain = (levels: number): string =>
      [
        '.t0: {image: a, script: a}',
        ...Array.from({ length: levels - 1 }, (_, i) => `.t${i + 1}: {extends: .t${i}}`),
        `job: {extends: .t${levels - 1}}`,
      ].join('\n');
    expect(mistakes(chain(11))).toEqual([]);
    expect(mistakes(chain(12)).join()).toContain('language/extends-depth 13:');
  });
  test('a cycle is reported with its path', () => {
    expect(
      mistakes(
        '.a: {extends: .b}\n.b: {extends: .c}\n.c: {extends: .a}\njob: {extends: .a, image: x, script: x}',
      ),
    ).toEqual(['language/cycle 3:15 extends forms a cycle: .a -> .b -> .c -> .a']);
  });
  test('a mistake in a template is reported once, at its place', () => {
    const text = '.t: {image: x, script: x, retry: 9}\na: {extends: .t}\nb: {extends: .t}';
    expect(mistakes(text)).toEqual(['language/type 1:34 retry must be 0, 1 or 2']);
  });
  test('a template that nothing extends may contain anything', () => {
    expect(mistakes('.data: [1, 2, {x: y}]\n.t: {nonsense: 1}\na: {image: x, script: x}')).toEqual([]);
  });
  test('a template may be used by anchor too', () => {
    expect(script('.t: &t {image: x, before_script: [b]}\na: {<<: *t, script: [s]}', 'a')).toMatchObject({
      script: ['b', 's'],
    });
  });
});

describe('default', () => {
  const text = `
default: {image: d, before_script: [d], tags: [d], retry: 1, timeout: 2h, interruptible: true}
a: {script: [a]}
b: {script: [b], image: own, before_script: [], tags: [t]}`;
  test('adds the keywords that a job does not have', () => {
    const { job: plan, spec } = job(text, 'a');
    expect(spec).toMatchObject({ image: { name: 'd' }, script: ['d', 'a'] });
    expect(plan).toMatchObject({ tags: ['d'], retry: { max: 1 }, timeoutMs: 7_200_000, interruptible: true });
  });
  test('is replaced keyword by keyword, not merged', () => {
    const { job: plan, spec } = job(text, 'b');
    expect(spec).toMatchObject({ image: { name: 'own' }, script: ['b'] });
    expect(plan).toMatchObject({ tags: ['t'], retry: { max: 1 } });
  });
  test('the old form, at the top level, means the same', () => {
    expect(script('image: d\nbefore_script: [d]\na: {script: [a]}', 'a')).toMatchObject({
      image: { name: 'd' },
      script: ['d', 'a'],
    });
  });
  test('the same keyword in both places is a conflict', () => {
    expect(mistakes('image: a\ndefault: {image: b}\nj: {script: x}').join()).toContain(
      'language/conflict 2:11',
    );
  });
  test('keywords of a container do not apply to jobs without one', () => {
    const compiled = jobs(
      'default: {image: d, before_script: [d], services: [s]}\nb: {stage: build, build: {}}',
    );
    expect(compiled.b?.spec.kind).toBe('build');
  });
});

describe('hidden jobs and names', () => {
  test('names that start with a dot do not run', () => {
    expect(Object.keys(jobs('.a: {image: x, script: x}\nb: {image: x, script: x}'))).toEqual(['b']);
  });
  test('file order is kept, also for names that are numbers', () => {
    const names = Object.keys(jobs('z: {image: x, script: x}\na: {image: x, script: x}'));
    expect(names).toEqual(['z', 'a']);
  });
});
