import { describe, expect, test } from 'vitest';
import { job, jobs, mistakes, run, variable } from '../helpers.ts';

const J = 'image: x, script: x';
const ROWS = `
a: {stage: build, ${J}, parallel: {matrix: [{PROVIDER: aws, STACK: [mon, app]}, {PROVIDER: [gcp], STACK: [data]}]}, artifacts: {paths: [o]}}
`;
const keys = (text: string): string[] => Object.keys(jobs(text));
const needs = (text: string, key = 'b'): string[] => (job(text, key).job.needs ?? []).map((need) => need.job);

describe('parallel: N', () => {
  test('makes N jobs, each with its index and the total', () => {
    const all = jobs(`a: {${J}, parallel: 3}`);
    expect(Object.keys(all)).toEqual(['a 1/3', 'a 2/3', 'a 3/3']);
    const second = all['a 2/3'];
    expect(second && variable(second, 'CI_NODE_INDEX')).toBe('2');
    expect(second && variable(second, 'CI_NODE_TOTAL')).toBe('3');
    expect(second && variable(second, 'CI_JOB_NAME')).toBe('a 2/3');
    expect(second && variable(second, 'CI_JOB_GROUP_NAME')).toBe('a');
    expect(second?.job.group).toBe('a');
  });
  test('parallel: 1 is still a group of one', () => {
    expect(keys(`a: {${J}, parallel: 1}`)).toEqual(['a 1/1']);
  });
  test('without parallel there is no index, and a total of 1', () => {
    const alone = job(`a: {${J}}`, 'a');
    expect([variable(alone, 'CI_NODE_INDEX'), variable(alone, 'CI_NODE_TOTAL')]).toEqual([undefined, '1']);
  });
  test.each(['0', '201', '-1', '1.5', '"3"', '[]', '{}'])('%s is a mistake', (value) => {
    expect(mistakes(`a: {${J}, parallel: ${value}}`).join()).toMatch(/language\/(type|missing)/);
  });
});

describe('parallel:matrix', () => {
  test('an empty value is a value, alone and in a list, and a need can name it', () => {
    const text = (b: string): string =>
      `a: {${J}, parallel: {matrix: [{A: [x], B: ${b}}]}, artifacts: {paths: [o]}}`;
    expect(keys(text('""'))).toEqual(['a: [x, ]']);
    expect(keys(text('["", y]'))).toEqual(['a: [x, ]', 'a: [x, y]']);
    expect(variable(job(text('""'), 'a: [x, ]'), 'B')).toBe('');
    const need = `c: {${J}, needs: [{job: a, parallel: {matrix: [{A: x, B: ""}]}}]}`;
    expect(job(`${text('["", y]')}\n${need}`, 'c').job.needs?.map((one) => one.job)).toEqual(['a: [x, ]']);
  });
  test('names are `job: [a, b]`, every combination, entry by entry', () => {
    expect(keys(ROWS)).toEqual(['a: [aws, mon]', 'a: [aws, app]', 'a: [gcp, data]']);
  });
  test('variables are set, override those of the job, and are expanded where davit expands', () => {
    const text = `a: {image: "img:$V", script: x, tags: ["on-$V"], variables: {V: own, W: "w-$V"}, parallel: {matrix: [{V: [1, 2]}]}}`;
    const second = job(text, 'a: [2]');
    expect([variable(second, 'V'), variable(second, 'W'), variable(second, 'CI_NODE_INDEX')]).toEqual([
      '2',
      'w-2',
      '2',
    ]);
    expect(second.spec).toMatchObject({ image: { name: 'img:2' } });
    expect(second.job.tags).toEqual(['on-2']);
  });
  test('a tag from the matrix selects the queue of its architecture', () => {
    const text = `a: {${J}, tags: [$ARCH], parallel: {matrix: [{ARCH: [arm64, amd64]}]}}`;
    expect(Object.values(jobs(text)).map((one) => one.job.arch)).toEqual(['arm64', 'amd64']);
  });
  test('the limit is 200 jobs', () => {
    const many = (count: number): string =>
      Array.from({ length: count }, (_, index) => `v${index}`).join(', ');
    expect(keys(`a: {${J}, parallel: {matrix: [{A: [${many(100)}], B: [x, y]}]}}`)).toHaveLength(200);
    expect(mistakes(`a: {${J}, parallel: {matrix: [{A: [${many(100)}], B: [x, y]}, {A: z}]}}`)).toEqual([
      expect.stringContaining('parallel.matrix must not create more than 200 jobs'),
    ]);
  });
  test('a huge product is counted, not created', () => {
    const wide = Array.from({ length: 40 }, (_, index) => `V${index}: [a, b]`).join(', ');
    expect(mistakes(`a: {${J}, parallel: {matrix: [{${wide}}]}}`).join()).toContain('200 jobs');
  });
  test.each(['[]', '[{}]', '[{A: []}]', '[{A: 1.20}]', '[{A: true}]', '[{A: [[b]]}]', '{A: b}'])(
    '%s is a mistake',
    (matrix) => {
      expect(mistakes(`a: {${J}, parallel: {matrix: ${matrix}}}`).join()).toContain('language/type');
    },
  );
  test('if two have the same name the last one counts', () => {
    const all = jobs(`a: {${J}, parallel: {matrix: [{A: x}, {B: x}]}}`);
    expect(Object.keys(all)).toEqual(['a: [x]']);
    const one = all['a: [x]'];
    expect(one && [variable(one, 'A'), variable(one, 'B'), variable(one, 'CI_NODE_TOTAL')]).toEqual([
      undefined,
      'x',
      '2',
    ]);
  });
});

describe('needs and dependencies on parallel jobs', () => {
  test('a need on the plain name waits for all of them', () => {
    expect(needs(`${ROWS}b: {${J}, needs: [a]}`)).toEqual([
      'a: [aws, mon]',
      'a: [aws, app]',
      'a: [gcp, data]',
    ]);
    expect(job(`${ROWS}b: {${J}, needs: [a]}`, 'b').job.artifactsFrom).toHaveLength(3);
    expect(needs(`a: {${J}, parallel: 2}\nb: {${J}, needs: [a]}`)).toEqual(['a 1/2', 'a 2/2']);
  });
  test('a need with parallel:matrix waits for the one', () => {
    expect(
      needs(`${ROWS}b: {${J}, needs: [{job: a, parallel: {matrix: [{PROVIDER: aws, STACK: mon}]}}]}`),
    ).toEqual(['a: [aws, mon]']);
  });
  test('a need with several values waits for these', () => {
    expect(
      needs(`${ROWS}b: {${J}, needs: [{job: a, parallel: {matrix: [{PROVIDER: aws, STACK: [mon, app]}]}}]}`),
    ).toEqual(['a: [aws, mon]', 'a: [aws, app]']);
  });
  test('a need on the whole name of one', () => {
    expect(needs(`a: {${J}, parallel: 2}\nb: {${J}, needs: ["a 2/2"]}`)).toEqual(['a 2/2']);
    expect(needs(`${ROWS}b: {${J}, needs: ["a: [gcp, data]"]}`)).toEqual(['a: [gcp, data]']);
  });
  test('$[[ matrix.NAME ]] is the value of the job that needs', () => {
    const text = `${ROWS}b: {${J}, needs: [{job: a, parallel: {matrix: [{PROVIDER: aws, STACK: ["$[[ matrix.S ]]"]}]}}], parallel: {matrix: [{S: [mon, app]}]}}`;
    expect(needs(text, 'b: [app]')).toEqual(['a: [aws, app]']);
  });
  test('a missing one is a mistake, unless it is optional', () => {
    const need = (more: string): string =>
      `${ROWS}b: {${J}, needs: [{job: a, parallel: {matrix: [{PROVIDER: aws, STACK: data}]}${more}}]}`;
    expect(mistakes(need(''))).toEqual([
      expect.stringContaining('"b" needs "a: [aws, data]", but there is no such job'),
    ]);
    expect(needs(need(', optional: true'))).toEqual([]);
  });
  test('dependencies on the plain name take the artifacts of all', () => {
    expect(job(`${ROWS}b: {${J}, dependencies: [a]}`, 'b').job.artifactsFrom).toHaveLength(3);
    expect(job(`${ROWS}b: {${J}, dependencies: ["a: [aws, app]"]}`, 'b').job.artifactsFrom).toEqual([
      'a: [aws, app]',
    ]);
  });
  test("parallel jobs that need each other's whole group wait for all of the other", () => {
    const text = `a: {${J}, parallel: 2}\nb: {${J}, parallel: 2, needs: [a]}`;
    expect(needs(text, 'b 1/2')).toEqual(['a 1/2', 'a 2/2']);
  });
});

describe("parallel and davit's own keywords", () => {
  test('platforms make several jobs already', () => {
    expect(mistakes(`b: {build: {platforms: [arm64, amd64]}, parallel: 2}`).join()).toContain(
      '"b" already runs once per platform (arm64, amd64), so it cannot have parallel',
    );
  });
  test('the same build, push or deployment N times is a mistake', () => {
    expect(mistakes(`b: {build: {}, parallel: 2}`).join()).toContain('would do the same build 2 times');
  });
  test('builds of a matrix have tags and arguments of their own', () => {
    const all = Object.values(jobs(`b: {build: {args: {V: $V}}, parallel: {matrix: [{V: [a, b]}]}}`)).map(
      (one) => (one.spec.kind === 'build' ? one.spec : undefined),
    );
    expect(all.map((spec) => spec?.args)).toEqual([{ V: 'a' }, { V: 'b' }]);
    expect(new Set(all.map((spec) => spec?.tag)).size).toBe(2);
  });
  test('a push takes one image per architecture', () => {
    const text = (from: string): string =>
      `stages: [build, push]\nb: {stage: build, build: {}, parallel: {matrix: [{V: [a, b]}]}}\np: {stage: push, push: {from: ${from}, tags: t}}`;
    expect(mistakes(text('b')).join()).toContain('"b" builds several images, but "p" takes one');
    expect(mistakes(text('"b: [a]"'))).toEqual([]);
  });
  test('two jobs that would have the same name', () => {
    expect(mistakes(`a: {${J}, parallel: 2}\n"a 1/2": {${J}}`).join()).toContain('both create a job "a 1/2"');
  });
  test('davit run JOB on the group selects all of them', () => {
    const answer = run(`a: {${J}, parallel: 2}\nb: {${J}}`, { trigger: { jobs: ['a'] } });
    expect(answer.kind === 'plan' && answer.jobs.map((one) => one.job.key)).toEqual(['a 1/2', 'a 2/2']);
  });
});
