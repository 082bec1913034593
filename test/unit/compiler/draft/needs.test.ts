import { describe, expect, test } from 'vitest';
import { job, jobs, mistakes, type Overrides } from '../helpers.ts';

const TEXT = `
stages: [a, b, c]
a1: {stage: a, image: x, script: x, artifacts: {paths: [o]}}
a2: {stage: a, image: x, script: x, artifacts: {paths: [p]}}
b1: {stage: b, image: x, script: x, artifacts: {paths: [q]}}
`;
const withC = (rest: string): string => `${TEXT}c: {stage: c, image: x, script: x, ${rest}}`;

describe('needs and artifacts', () => {
  test('without needs: the stages decide, and artifacts come from all earlier stages', () => {
    expect(job(withC('tags: []'), 'c').job).toMatchObject({ needs: null, artifactsFrom: ['a1', 'a2', 'b1'] });
    expect(job(TEXT, 'b1').job.artifactsFrom).toEqual(['a1', 'a2']);
    expect(job(TEXT, 'a1').job.artifactsFrom).toEqual([]);
  });
  test('dependencies narrow the artifacts, an empty list takes none', () => {
    expect(job(withC('dependencies: [a2]'), 'c').job).toMatchObject({ needs: null, artifactsFrom: ['a2'] });
    expect(job(withC('dependencies: []'), 'c').job).toMatchObject({ needs: null, artifactsFrom: [] });
  });
  test('needs: artifacts come from these only', () => {
    expect(job(withC('needs: [a1]'), 'c').job).toMatchObject({
      needs: [{ job: 'a1', artifacts: true, optional: false }],
      artifactsFrom: ['a1'],
    });
  });
  test('needs: artifacts: false orders but passes no artifacts', () => {
    expect(job(withC('needs: [a1, {job: b1, artifacts: false}]'), 'c').job.artifactsFrom).toEqual(['a1']);
  });
  test('needs: [] starts at once and gets nothing', () => {
    expect(job(withC('needs: []'), 'c').job).toMatchObject({ needs: [], artifactsFrom: [] });
  });
  test('needs and dependencies: the artifacts are those in both', () => {
    expect(job(withC('needs: [a1, b1], dependencies: [b1]'), 'c').job.artifactsFrom).toEqual(['b1']);
    expect(mistakes(withC('needs: [a1], dependencies: [b1]')).join()).toContain('language/conflict');
  });
  test('an empty list of needs beside dependencies: nothing is waited for and nothing is taken', () => {
    const { job: c } = job(withC('needs: [], dependencies: [b1]'), 'c');
    expect(c).toMatchObject({ needs: [], artifactsFrom: [] });
    expect(mistakes(withC('needs: [], dependencies: [nobody]')).join()).toContain('language/unknown-job');
  });
  test('needs on other pipelines only beside dependencies are a mistake', () => {
    const foreign = 'needs: [{project: g/p, job: x, ref: main}], dependencies: [b1]';
    expect(mistakes(withC(foreign)).join()).toContain('language/conflict');
  });
  test('a job may need one of its own stage', () => {
    expect(mistakes(`${TEXT}b2: {stage: b, image: x, script: x, needs: [b1]}`)).toEqual([]);
  });
  test('a job cannot need one of a later stage', () => {
    expect(mistakes(`${TEXT}a3: {stage: a, image: x, script: x, needs: [b1]}`)).toEqual([
      'language/order 6:45 "a3" names "b1" in needs, which is in the later stage "b"',
    ]);
  });
});

describe('jobs that are not in the pipeline', () => {
  const left = `${TEXT}t: {stage: a, image: x, script: x, only: [tags]}\n`;
  const c = (rest: string): string => `${left}c: {stage: c, image: x, script: x, ${rest}}`;
  test('a need on one is an error with the reason', () => {
    expect(mistakes(c('needs: [t]'))).toEqual([
      'language/absent-job 7:44 "c" needs "t", which is not in this pipeline: only runs for tags',
    ]);
  });
  test('an optional need is left out', () => {
    expect(job(c('needs: [a1, {job: t, optional: true}]'), 'c').job.needs?.map((need) => need.job)).toEqual([
      'a1',
    ]);
  });
  test('an optional need on a job that is not in the file is left out', () => {
    expect(job(c('needs: [{job: nobody, optional: true}]'), 'c').job.needs).toEqual([]);
  });
  test('a dependency on one is ignored', () => {
    expect(job(c('dependencies: [t, a1]'), 'c').job.artifactsFrom).toEqual(['a1']);
  });
});

describe('cycles and unknown names', () => {
  const circle =
    'a: {image: x, script: x, needs: [b]}\nb: {image: x, script: x, needs: [c]}\nc: {image: x, script: x, needs: [a]}';
  test('a cycle of needs is reported with its path', () => {
    expect(mistakes(circle)).toEqual([
      'language/cycle 1:26 jobs wait for each other in a cycle: a -> b -> c -> a',
    ]);
  });
  test('a job that needs itself', () => {
    expect(mistakes('a: {image: x, script: x, needs: [a]}').join()).toContain('cycle: a -> a');
  });
  test('two cycles are two reports', () => {
    expect(
      mistakes(`${circle}\nd: {image: x, script: x, needs: [e]}\ne: {image: x, script: x, needs: [d]}`),
    ).toHaveLength(2);
  });
  test('a cycle through a gate', () => {
    const text = 'a: {image: x, script: x, gate: {requires: [b]}}\nb: {image: x, script: x, needs: [a]}';
    expect(mistakes(text).join()).toContain('cycle: a -> b -> a');
  });
  test.each(['needs', 'dependencies'])('an unknown name in %s has a hint', (keyword) => {
    const text = `build: {image: x, script: x}\nt: {image: x, script: x, ${keyword}: [biuld]}`;
    expect(mistakes(text)).toEqual([
      `language/unknown-job 2:${29 + keyword.length} "t" names "biuld" in ${keyword}, but there is no such job`,
    ]);
  });
});

describe('jobs of several architectures', () => {
  const text = `
stages: [build, test, push]
b: {stage: build, build: {platforms: [arm32, arm64]}}
t: {stage: test, image: x, script: x, needs: [b], apitest: {image_from: b, port: 80}}
s: {stage: test, image: x, script: x, needs: [b]}
one: {stage: test, image: x, script: x, needs: ["b: [arm64]"]}
p: {stage: push, needs: [t], push: {from: b, tags: [latest]}}`;
  const compiled = (more: Overrides = {}): ReturnType<typeof jobs> => jobs(text, more);
  test('one job each, on the queue of its architecture', () => {
    expect(compiled()['b: [arm32]']?.job).toMatchObject({ group: 'b', arch: 'arm32', queue: 'arm32' });
    expect(compiled()['t: [arm64]']?.job).toMatchObject({ group: 't', arch: 'arm64', queue: 'arm64' });
  });
  test('an API test needs the build of its own architecture only', () => {
    expect(compiled()['t: [arm32]']?.job).toMatchObject({
      needs: [{ job: 'b: [arm32]' }],
      imagesFrom: ['b: [arm32]'],
    });
  });
  test('a need on the plain name waits for all, one with its value for that one', () => {
    expect(compiled().s?.job.needs?.map((need) => need.job)).toEqual(['b: [arm32]', 'b: [arm64]']);
    expect(compiled().one?.job.needs?.map((need) => need.job)).toEqual(['b: [arm64]']);
  });
  test('a push takes all images, and waits for them too if it has needs', () => {
    expect(compiled().p?.job.imagesFrom).toEqual(['b: [arm32]', 'b: [arm64]']);
    expect(compiled().p?.job.needs?.map((need) => need.job)).toEqual([
      't: [arm32]',
      't: [arm64]',
      'b: [arm32]',
      'b: [arm64]',
    ]);
  });
});
