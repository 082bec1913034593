import { describe, expect, test } from 'vitest';
import { job, mistakes, run, type Overrides } from '../helpers.ts';

const file = (needs: string, more = ''): string =>
  `stages: [a, b]\na1: {stage: a, image: x, script: x, artifacts: {paths: [o]}}\nb1: {stage: b, image: x, script: x, needs: ${needs}${more}}`;
const foreign = (needs: string, more: Overrides = {}): unknown => job(file(needs), 'b1', more).job.foreign;

describe('needs:project', () => {
  test('has project, job and ref, with variables, and waits for nothing', () => {
    const { job: planned } = job(
      file('[{project: $CI_PROJECT_PATH, job: "build-$CI_COMMIT_BRANCH", ref: $CI_DEFAULT_BRANCH}]'),
      'b1',
      { project: { path: 'group/table' } },
    );
    expect(planned).toMatchObject({ needs: [], artifactsFrom: [] });
    expect(planned.foreign).toEqual([{ project: 'group/table', job: 'build-main', ref: 'main' }]);
  });
  test('artifacts: false is refused, because nothing remains', () => {
    expect(foreign('[a1, {project: p, job: j, ref: main, artifacts: false}]')).toBeUndefined();
  });
  test('can be combined with needs of the own pipeline', () => {
    const { job: planned } = job(file('[a1, {project: p, job: j, ref: main}]'), 'b1');
    expect(planned).toMatchObject({ artifactsFrom: ['a1'], foreign: [{ project: 'p' }] });
  });
  test('project, job and ref go together; optional and parallel are for jobs of this pipeline', () => {
    expect(mistakes(file('[{project: p, job: j}]'))).toEqual([
      'language/missing 3:45 needs[0].ref is missing',
    ]);
    expect(mistakes(file('[{project: p, ref: main}]')).join()).toContain('needs[0].job is missing');
    expect(mistakes(file('[{ref: main, job: j}]')).join()).toContain('needs[0].project is missing');
    expect(mistakes(file('[{project: p, ref: main, job: j, optional: true}]')).join()).toContain(
      'needs[0].optional cannot be used together with project',
    );
    expect(mistakes(file('[{project: p, ref: main, job: j, pipeline: "1"}]')).join()).toContain(
      'needs[0].pipeline cannot be used together with project',
    );
  });
  test('at most five', () => {
    const list = Array.from({ length: 6 }, (_, at) => `{project: p, ref: main, job: j${at}}`).join(', ');
    expect(mistakes(file(`[${list}]`)).join()).toContain('must not have more than 5 with a project');
  });
  test('a job with a secret in its name is an error', () => {
    const secret = { name: 'TOKEN', value: { secret: 'env:T' as const }, masked: true, file: false };
    expect(
      mistakes(file('[{project: p, ref: $TOKEN, job: j}]'), { instanceVariables: [secret] }).join(),
    ).toContain('language/secret');
  });
  test('a job without a workspace takes no artifacts', () => {
    const text = `build: {stage: build, build: {}}\npush: {stage: deploy, push: {from: build}, needs: [{project: p, ref: main, job: j}]}\nstages: [build, deploy]`;
    expect(mistakes(text).join()).toContain('"push" takes no artifacts');
  });
  test('davit plan shows it under the names of GitLab', () => {
    const answer = run(file('[a1, {project: p, job: j, ref: main}]'), { explain: true });
    expect(answer.kind === 'plan' && answer.explained?.[1]?.resolved.needs).toEqual([
      { job: 'a1', artifacts: true, optional: false },
      { project: 'p', ref: 'main', job: 'j', artifacts: true },
    ]);
  });
});

describe('needs:pipeline:job', () => {
  test('accepts a number in a variable; an unset one is known only when it runs', () => {
    const variables = { trigger: { variables: { PARENT_PIPELINE_ID: '7' } } };
    expect(foreign('[{pipeline: $PARENT_PIPELINE_ID, job: a}]', variables)).toEqual([
      { pipeline: '7', job: 'a' },
    ]);
    expect(foreign('[{pipeline: $PARENT_PIPELINE_ID, job: a}]')).toEqual([{ pipeline: '', job: 'a' }]);
  });
  test('never the own pipeline', () => {
    expect(mistakes(file('[{pipeline: $CI_PIPELINE_ID, job: a1}]')).join()).toContain(
      'language/conflict 3:56 "b1" names its own pipeline in needs:pipeline',
    );
  });
});

describe('needs:pipeline without a job mirrors a pipeline', () => {
  const mirror = (needs: string, more = ''): string =>
    `stages: [a, b]\na1: {stage: a, image: x, script: x}\nm: {stage: b, needs: ${needs}${more}}`;
  test('of a project, by its stage, and runs nothing', () => {
    const variables = { trigger: { variables: { OTHER: 'group/lib' } } };
    const { job: planned, spec } = job(mirror('{pipeline: $OTHER}', ', when: always'), 'm', variables);
    expect(planned).toMatchObject({
      kind: 'trigger',
      queue: 'control',
      needs: null,
      when: 'always',
      downstream: { mirrors: true, project: 'group/lib', strategy: 'mirror', filesFrom: [] },
    });
    expect(planned.foreign).toBeUndefined();
    expect(spec).toMatchObject({ kind: 'trigger', variables: [] });
    expect(job(mirror('[{pipeline: p}, a1]'), 'm').job.needs).toMatchObject([{ job: 'a1' }]);
  });
  test.each([
    [mirror('{pipeline: p}', ', image: x'), 'mirrors a pipeline, so it cannot have image'],
    [mirror('{pipeline: p}', ', script: x'), '"m" is a script job, so it cannot mirror a pipeline'],
    [mirror('{pipeline: p}', ', trigger: q'), 'it cannot take artifacts of other pipelines'],
    [mirror('[{pipeline: p}, {pipeline: "7", job: j}]'), 'it cannot take artifacts of other pipelines'],
    [mirror('[{pipeline: p}, {pipeline: q}]'), 'must not have more than one pipeline without a job'],
    [mirror('{pipeline: p, ref: main}'), 'pipeline cannot be used together with ref'],
    [mirror('{pipeline: p, optional: true}'), 'optional cannot be used together with'],
    [
      mirror('[]', ', image: x, script: x, rules: [{if: $CI, needs: [{pipeline: p}]}]'),
      'it cannot mirror a pipeline',
    ],
  ])('%s is a mistake', (text, message) => {
    expect(mistakes(text).join()).toContain(message);
  });
  test('davit plan shows it as it was written', () => {
    const answer = run(mirror('{pipeline: p}'), { explain: true });
    expect(answer.kind === 'plan' && answer.explained?.[1]?.resolved.needs).toEqual([{ pipeline: 'p' }]);
  });
});

describe('published artifacts', () => {
  const gives = (more: Overrides = {}): unknown => job(file('[a1]'), 'a1', more).spec.gives;
  test('of jobs with artifacts, under the ref and number of their pipeline', () => {
    expect(gives()).toEqual({ ref: 'main', number: 1007 });
    expect(job(file('[a1]'), 'b1').spec.gives).toBeUndefined();
  });
  test('a merge request is not its branch', () => {
    const mergeRequest = { iid: 4, sourceBranch: 'x', targetBranch: 'main', sourceSha: '1', title: 't' };
    const text = `a1: {image: x, script: x, artifacts: {paths: [o]}, only: [merge_requests]}`;
    const trigger = { refKind: 'merge_request', source: 'merge_request', ref: 'x', mergeRequest } as const;
    expect(job(text, 'a1', { trigger }).spec.gives).toEqual({
      ref: 'refs/merge-requests/4/head',
      number: 1007,
    });
  });
});
