import { describe, expect, test } from 'vitest';
import { job, jobs, keysOf, MERGE, mistakes, run, type Overrides } from '../helpers.ts';

const TAG: Overrides = { trigger: { ref: 'v1.0', refKind: 'tag', source: 'tag' } };
const branch = (ref: string): Overrides => ({ trigger: { ref } });
const one = (policy: string): string => `j: {image: x, script: x, ${policy}}`;

describe('only and except', () => {
  test('neither: branches and tags, not merge requests', () => {
    expect(keysOf(one('stage: test'))).toEqual(['j']);
    expect(keysOf(one('stage: test'), TAG)).toEqual(['j']);
    expect(keysOf(one('stage: test'), MERGE)).toEqual([]);
  });
  test('names, exact and with their letter case', () => {
    expect(keysOf(one('only: [main]'))).toEqual(['j']);
    expect(keysOf(one('only: [Main]'))).toEqual([]);
    expect(keysOf(one('only: [mai]'))).toEqual([]);
    expect(mistakes(one('only: main')).join()).toContain('only must be a list or a map, not a string');
  });
  test('keywords by kind of ref', () => {
    expect(keysOf(one('only: [tags]'))).toEqual([]);
    expect(keysOf(one('only: [tags]'), TAG)).toEqual(['j']);
    expect(keysOf(one('only: [branches]'), TAG)).toEqual([]);
    expect(keysOf(one('only: [merge_requests]'), MERGE)).toEqual(['j']);
    expect(keysOf(one('only: [merge_requests]'))).toEqual([]);
  });
  test('keywords by source', () => {
    expect(keysOf(one('only: [schedules]'), { trigger: { source: 'schedule' } })).toEqual(['j']);
    expect(keysOf(one('only: [pushes]'), { trigger: { source: 'schedule' } })).toEqual([]);
    expect(keysOf(one('only: [web]'), { trigger: { source: 'web' } })).toEqual(['j']);
    expect(keysOf(one('only: [api]'), { trigger: { source: 'api' } })).toEqual(['j']);
    expect(keysOf(one('only: [pushes]'), { trigger: { source: 'cli' } })).toEqual(['j']);
  });
  test('regular expressions, not anchored unless they say so', () => {
    expect(keysOf(one('only: [/^feat/]'), branch('feat/x'))).toEqual(['j']);
    expect(keysOf(one('only: [/eat/]'), branch('feat/x'))).toEqual(['j']);
    expect(keysOf(one('only: [/^FEAT/i]'), branch('feat/x'))).toEqual(['j']);
    expect(keysOf(one('only: [/^FEAT/]'), branch('feat/x'))).toEqual([]);
  });
  test('a regular expression never matches a merge request', () => {
    expect(keysOf(one('only: [/.*/]'), MERGE)).toEqual([]);
  });
  // A backtracking engine would exceed the timeout of the test.
  test('a pattern that needs exponential backtracking is matched in linear time', () => {
    expect(keysOf(one('only: ["/^(a+)+$/"]'), branch(`${'a'.repeat(5_000)}b`))).toEqual([]);
  });
  test('except wins over only', () => {
    expect(keysOf(one('only: [branches], except: [main]'))).toEqual([]);
    expect(keysOf(one('except: [main]'), branch('dev'))).toEqual(['j']);
    expect(keysOf(one('except: [tags]'), TAG)).toEqual([]);
  });
  test('a repository after @ must be this one', () => {
    expect(keysOf(one('only: [main@group/table]'), { project: { path: 'group/table' } })).toEqual(['j']);
    expect(keysOf(one('only: [branches@other/table]'), { project: { path: 'group/table' } })).toEqual([]);
  });
  test('the map form with refs', () => expect(keysOf(one('only: {refs: [main]}'))).toEqual(['j']));
});

describe('an empty pipeline is not a failure', () => {
  test('no job is selected', () => {
    expect(run(one('only: [tags]'))).toMatchObject({
      kind: 'empty',
      reason: expect.stringContaining('only runs for tags'),
    });
  });
  test('only jobs of .pre and .post', () => {
    expect(run('j: {image: x, script: x, stage: .pre}\nk: {image: x, script: x, stage: .post}').kind).toBe(
      'empty',
    );
  });
  test('.pre comes first and .post last, wherever they are listed', () => {
    const answer = run(
      'stages: [b]\np: {image: x, script: x, stage: .post}\nj: {image: x, script: x, stage: b}\nq: {image: x, script: x, stage: .pre}',
    );
    expect(answer).toMatchObject({ kind: 'plan', plan: { stages: ['.pre', 'b', '.post'] } });
  });
});

describe('[skip ci] in the commit message', () => {
  const commit = { author: 'a', timestamp: 't', message: 'Fix typo [Skip CI]' };
  test.each(['push', 'tag', 'merge_request'] as const)('a %s starts nothing', (source) => {
    expect(run(one('stage: test'), { commit, trigger: { source } }).kind).toBe('empty');
  });
  test.each(['cli', 'api', 'web'] as const)('%s runs anyway', (source) => {
    expect(run(one('stage: test'), { commit, trigger: { source } }).kind).toBe('plan');
  });
  test('[ci skip] too', () => {
    expect(run(one('stage: test'), { commit: { ...commit, message: 'x\n\n[ci skip]' } }).kind).toBe('empty');
  });
  test('before anything is read, even of a broken file', () =>
    expect(run('[', { commit }).kind).toBe('empty'));
});

describe('davit run JOB', () => {
  const text = `
stages: [a, b, c]
a1: {stage: a, image: x, script: x, artifacts: {paths: [o]}}
a2: {stage: a, image: x, script: x}
b1: {stage: b, image: x, script: x, needs: [a1]}
b2: {stage: b, image: x, script: x}
c1: {stage: c, image: x, script: x, when: manual, dependencies: []}
c2: {stage: c, image: x, script: x, only: [tags]}
ship: {stage: c, image: x, script: x, gate: {requires: [b2]}, dependencies: []}`;
  const asked = (...list: string[]): Overrides => ({ trigger: { source: 'cli', jobs: list } });
  test('keeps the job and what it needs', () => expect(keysOf(text, asked('b1'))).toEqual(['a1', 'b1']));
  test('without needs: the jobs whose artifacts it gets', () =>
    expect(keysOf(text, asked('b2'))).toEqual(['a1', 'b2']));
  test('a named manual job is started', () => {
    const compiled = jobs(text, asked('c1'));
    expect(compiled.c1?.job).toMatchObject({ when: 'on_success', allowFailure: false });
    expect(Object.keys(compiled)).toEqual(['c1']);
  });
  test('a gate stays a gate, and brings what it requires', () => {
    expect(job(text, 'ship', asked('ship')).job.when).toBe('manual');
    expect(keysOf(text, asked('ship'))).toEqual(['a1', 'b2', 'ship']);
  });
  test('a job that is not in the pipeline, or not in the file', () => {
    expect(mistakes(text, asked('c2'))).toEqual([
      'language/absent-job 0:0 "c2" is not in this pipeline: only runs for tags',
    ]);
    expect(run(text, asked('b11'))).toMatchObject({
      kind: 'invalid',
      problems: [{ code: 'language/unknown-job', hint: 'Did you mean "b1"?' }],
    });
  });
});
