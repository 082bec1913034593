/** `rules` of jobs: what re-implementations get wrong, one test each. */
import { describe, expect, test } from 'vitest';
import { job, jobs, keysOf, MERGE, mistakes, run, variable, type Overrides } from '../helpers.ts';

const one = (keys: string): string => `j:\n  image: x\n  script: x\n${keys.replace(/^/gm, '  ')}\n`;
const MAIN = 'if: $CI_COMMIT_BRANCH == "main"';
const DEV: Overrides = { trigger: { ref: 'dev' } };

describe('which rule decides', () => {
  test('no match leaves the job out', () => {
    expect(keysOf(one(`rules: [{${MAIN}}]`), DEV)).toEqual([]);
    expect(mistakes(one('rules: []')).join()).toContain('rules must not be empty');
    expect(run(one(`rules: [{${MAIN}}]`), DEV)).toMatchObject({
      kind: 'empty',
      reason: 'no job is selected for this ref and source ("j": no rule matches)',
    });
  });
  test('the first that matches', () => {
    const text = one(`rules:\n  - ${MAIN}\n    when: always\n  - when: on_failure`);
    expect(job(text, 'j').job.when).toBe('always');
    expect(job(text, 'j', DEV).job.when).toBe('on_failure');
  });
  test('when: never leaves it out', () =>
    expect(keysOf(one(`rules:\n  - ${MAIN}\n    when: never\n  - when: always`))).toEqual([]));
  test('a rule without when means on_success', () =>
    expect(job(one(`rules: [{${MAIN}}]`), 'j').job.when).toBe('on_success'));
  test('a matched rule without when keeps the job’s own', () => {
    expect(job(one(`when: always\nrules: [{${MAIN}}]`), 'j').job.when).toBe('always');
    expect(job(one(`when: manual\nrules: [{${MAIN}}]`), 'j').job).toMatchObject({
      when: 'manual',
      allowFailure: true,
    });
  });
  test('neither rules nor only/except: branches and tags, not merge requests', () => {
    expect(keysOf(one('stage: test'))).toEqual(['j']);
    expect(keysOf(one('stage: test'), { trigger: { refKind: 'tag', ref: 'v1', source: 'tag' } })).toEqual([
      'j',
    ]);
    expect(keysOf(one('stage: test'), MERGE)).toEqual([]);
  });
  test('with rules merge requests are like everything else', () => {
    expect(keysOf(one('rules: [{when: on_success}]'), MERGE)).toEqual(['j']);
    expect(keysOf(one('rules: [{if: $CI_PIPELINE_SOURCE == "merge_request_event"}]'), MERGE)).toEqual(['j']);
  });
  test('nested lists, from anchors, are flattened', () => {
    const text = `.r: &r\n  - if: $CI_COMMIT_TAG\n    when: never\n${one(`rules:\n  - *r\n  - ${MAIN}`)}`;
    expect(keysOf(text)).toEqual(['j']);
    expect(mistakes(`.r: &r\n  - if: $A = 1\n${one('rules:\n  - *r')}`)).toEqual([
      'language/expression 2:12 if has an unexpected "="',
    ]);
  });
});

describe('manual and allow_failure', () => {
  test('when: manual in rules blocks; outside of rules the pipeline goes on', () => {
    expect(job(one('when: manual'), 'j').job.allowFailure).toBe(true);
    expect(job(one('rules: [{when: manual}]'), 'j').job).toMatchObject({
      when: 'manual',
      allowFailure: false,
    });
  });
  test('the rule’s allow_failure overrides the job’s, exit codes too', () => {
    expect(job(one('rules: [{when: manual, allow_failure: true}]'), 'j').job.allowFailure).toBe(true);
    expect(job(one('allow_failure: true\nrules: [{when: manual}]'), 'j').job.allowFailure).toBe(true);
    expect(
      job(one('allow_failure: {exit_codes: 3}\nrules: [{allow_failure: false}]'), 'j').job.allowFailure,
    ).toBe(false);
    expect(job(one('allow_failure: {exit_codes: 3}\nrules: [{when: always}]'), 'j').job.allowFailure).toEqual(
      [3],
    );
  });
  test('a gate blocks whatever its rules contain, and cannot be contradicted', () => {
    expect(job(one(`gate: true\nrules: [{${MAIN}}]`), 'j').job).toMatchObject({
      when: 'manual',
      allowFailure: false,
    });
    expect(keysOf(one(`gate: true\nrules: [{${MAIN}}]`), DEV)).toEqual([]);
    expect(mistakes(one('gate: true\nrules: [{when: always}]')).join()).toContain('implies when: manual');
    expect(mistakes(one('gate: true\nrules: [{allow_failure: true}]')).join()).toContain(
      'allow_failure must be false',
    );
  });
  test('delayed takes its start_in from the rule', () => {
    expect(job(one('rules: [{when: delayed, start_in: 10 min}]'), 'j').job).toMatchObject({
      when: 'delayed',
      startInMs: 600_000,
    });
    expect(mistakes(one('rules: [{when: delayed}]')).join()).toContain('has no start_in');
    expect(mistakes(one('rules: [{start_in: 1 min}]')).join()).toContain('requires when: delayed');
  });
});

describe('what a rule adds', () => {
  test('variables, above those of the job and below those of the project', () => {
    const text = `variables: {A: file, B: file}\n${one(`variables: {A: job, C: job}\nrules:\n  - ${MAIN}\n    variables: {A: rule, C: rule, D: $B}`)}`;
    const compiled = job(text, 'j', {
      project: { variables: [{ name: 'C', value: { literal: 'project' }, masked: false, file: false }] },
    });
    expect(['A', 'B', 'C', 'D'].map((name) => variable(compiled, name))).toEqual([
      'rule',
      'file',
      'project',
      'file',
    ]);
  });
  test('needs replace those of the job', () => {
    const text = `stages: [a, b]\nx: {stage: a, image: x, script: x}\ny: {stage: a, image: x, script: x}\n${one(`stage: b\nneeds: [x]\nrules:\n  - ${MAIN}\n    needs: [y]\n  - when: always`)}`;
    expect(job(text, 'j').job.needs?.map((need) => need.job)).toEqual(['y']);
    expect(job(text, 'j', DEV).job.needs?.map((need) => need.job)).toEqual(['x']);
    expect(mistakes(text.replace('[y]', '[yy]')).join()).toContain(
      '"yy" in rules:needs, but there is no such job',
    );
  });
  test('interruptible', () => {
    expect(job(one(`rules: [{${MAIN}, interruptible: true}]`), 'j').job).toMatchObject({
      interruptible: true,
      rerunnable: true,
    });
    expect(job(one(`interruptible: true\nrules: [{interruptible: false}]`), 'j').job.interruptible).toBe(
      false,
    );
  });
});

describe('variables in conditions', () => {
  const at = (condition: string, more: Overrides = {}, keys = ''): string[] =>
    keysOf(one(`${keys}rules: [{if: '${condition}'}]`), more);
  test('those of the file, the project, the installation and the run, the highest of them', () => {
    const variables = [{ name: 'A', value: { literal: 'p' }, masked: true, file: false }];
    const project = { variables, protectedRef: false };
    expect(keysOf(`variables: {A: f}\n${one('rules: [{if: $A == "f"}]')}`)).toEqual(['j']);
    expect(keysOf(`variables: {A: f}\n${one('rules: [{if: $A == "p"}]')}`, { project })).toEqual(['j']);
    expect(at('$A == "r"', { project, trigger: { variables: { A: 'r' } } })).toEqual(['j']);
  });
  test('no values that are known only later', () => {
    expect(at('$CI_PIPELINE_ID == null && $CI_PIPELINE_URL == null && $CI_JOB_ID == null')).toEqual(['j']);
    expect(at('$CI_PIPELINE_IID == "7"')).toEqual(['j']);
    expect(at('$CI_ENVIRONMENT_SLUG == null', {}, 'environment: prod\n')).toEqual(['j']);
  });
  test('values are not expanded', () =>
    expect(keysOf(`variables: {A: $CI_COMMIT_BRANCH}\n${one(`rules: [{if: '$A == "main"'}]`)}`)).toEqual([]));
  test('a secret is set and equal to nothing', () => {
    const project = {
      variables: [{ name: 'T', value: { secret: 'env:T' as const }, masked: true, file: false }],
    };
    expect(at('$T', { project })).toEqual(['j']);
    expect(at('$T == "x" || $T == ""', { project })).toEqual([]);
    expect(at('$T', { project, trigger: { fork: true } })).toEqual([]);
  });
  test('variables that are bound to the job’s environment', () => {
    const project = {
      variables: [
        { name: 'S', value: { literal: 'v' }, masked: false, file: false, environment: 'review/*' },
      ],
    };
    expect(at('$S == "v"', { project }, 'environment: review/$CI_COMMIT_BRANCH\n')).toEqual(['j']);
    expect(at('$S == "v"', { project })).toEqual([]);
  });
});

describe('mistakes', () => {
  test('rules beside only, except or start_in are an error', () => {
    expect(mistakes(one('only: [main]\nrules: [{when: always}]')).join()).toContain('cannot also have only');
    expect(mistakes(one('except: [main]\nrules: [{when: always}]')).join()).toContain(
      'cannot also have except',
    );
    expect(mistakes(one('when: delayed\nstart_in: 1 min\nrules: [{when: always}]')).join()).toContain(
      'cannot also have start_in',
    );
  });
  test('every expression of the file, also of unreachable rules', () => {
    const text = one(`rules:\n  - ${MAIN}\n  - if: $A == b\n  - if: "$B =~ /(/"\n  - if: '$C ='`);
    expect(mistakes(text)).toEqual([
      'language/expression 6:17 if has an unexpected "b"',
      'language/regex 7:18 /(/ is not a valid regular expression: error parsing regexp: missing closing ): `(`',
      'language/expression 8:15 if has an unexpected "="',
    ]);
  });
  test('unknown keys, wrong values', () => {
    expect(mistakes(one('rules: [{iff: $A}]')).join()).toContain('has an unknown key "iff"');
    expect(mistakes(one('rules: [{when: sometimes}]')).join()).toContain('must be "on_success"');
    expect(mistakes(one('rules: [{}]')).join()).toContain('must not be empty');
    expect(mistakes(one('rules: {when: always}')).join()).toContain('must be a list');
    expect(mistakes(one('rules: [{if: true}]')).join()).toContain('if must be a string');
  });
  test('a rule after one that always matches is never reached: a warning', () => {
    const answer = run(one(`rules:\n  - when: always\n  - ${MAIN}`));
    expect(answer).toMatchObject({
      kind: 'plan',
      warnings: [{ code: 'language/unreachable', place: { line: 6 } }],
    });
    expect(run(one(`rules:\n  - ${MAIN}\n  - when: always`))).toMatchObject({ kind: 'plan', warnings: [] });
  });
});

test('a need on a job that its rules exclude is an error with the reason', () => {
  const text = `stages: [a, b]\nx: {stage: a, image: x, script: x, rules: [{if: $CI_COMMIT_TAG}]}\n${one('stage: b\nneeds: [x]')}`;
  expect(mistakes(text).join()).toContain('"j" needs "x", which is not in this pipeline: no rule matches');
  expect(Object.keys(jobs(text.replace('[x]', '[{job: x, optional: true}]')))).toEqual(['j']);
});
