/** `workflow`: name, rules, variables, auto_cancel. */
import { describe, expect, test } from 'vitest';
import { job, jobs, MERGE, mistakes, run, variable } from '../helpers.ts';

const JOB = 'j: {image: x, script: x}\n';
const workflow = (body: string, rest = JOB): string => `workflow:\n${body.replace(/^/gm, '  ')}\n${rest}`;

describe('workflow: rules', () => {
  const MAIN = workflow('rules:\n  - if: $CI_COMMIT_BRANCH == "main"');
  test('no rule that matches: no pipeline, and no failure', () => {
    expect(run(MAIN).kind).toBe('plan');
    expect(run(MAIN, { trigger: { ref: 'dev' } })).toMatchObject({
      kind: 'empty',
      reason: 'no rule of workflow matches',
    });
    expect(run(workflow('rules: [{when: never}]'))).toMatchObject({
      kind: 'empty',
      reason: 'workflow, rule 1, line 2: always; when: never',
    });
  });
  test('mistakes of jobs are found anyway', () =>
    expect(mistakes(workflow('rules: [{when: never}]', 'j: {image: x}'))).not.toEqual([]));
  test('a job without conditions then runs for merge requests; one with only follows it', () => {
    const text = workflow('rules: [{when: always}]', `${JOB}k: {image: x, script: x, only: [branches]}\n`);
    expect(Object.keys(jobs(text, MERGE))).toEqual(['j']);
    expect(run(JOB, MERGE).kind).toBe('empty');
  });
  test('its variables override those of the file, not those of jobs, and rules see them', () => {
    const rest = `variables: {A: file, B: file, C: file}\nj: {image: x, script: x, variables: {C: job}, rules: [{if: $A == "workflow"}]}\n`;
    const text = workflow('rules:\n  - if: $A == "file"\n    variables: {A: workflow, C: workflow}', rest);
    const compiled = job(text, 'j');
    expect(['A', 'B', 'C'].map((name) => variable(compiled, name))).toEqual(['workflow', 'file', 'job']);
  });
  test('mistakes have a place; job keywords are not allowed', () => {
    expect(mistakes(workflow('rules:\n  - if: $A = 1'))).toEqual([
      'language/expression 3:14 if has an unexpected "="',
    ]);
    expect(mistakes(workflow('rules: [{when: manual}]')).join()).toContain('must be "always" or "never"');
    expect(mistakes(workflow('rules: [{needs: [j]}]')).join()).toContain('has an unknown key "needs"');
    expect(mistakes(workflow('nmae: x')).join()).toContain('workflow has an unknown key "nmae"');
  });
  test('an unreachable rule is a warning', () =>
    expect(run(workflow('rules:\n  - when: always\n  - when: never'))).toMatchObject({
      warnings: [{ code: 'language/unreachable' }],
    }));
});

describe('workflow: name', () => {
  test('with variables, those of the rule that matched too', () => {
    const text = workflow(
      'name: "$KIND of $CI_COMMIT_BRANCH"\nrules:\n  - when: always\n    variables: {KIND: build}',
    );
    expect(run(text)).toMatchObject({ kind: 'plan', plan: { name: 'build of main' } });
    expect(variable(job(text, 'j'), 'CI_PIPELINE_NAME')).toBe('build of main');
  });
  test('one that expands to nothing is absent', () => {
    const answer = run(workflow('name: $NOTHING'));
    expect(answer.kind === 'plan' && 'name' in answer.plan).toBe(false);
  });
  test('nothing masked gets into it', () => {
    const project = { variables: [{ name: 'T', value: { literal: 's' }, masked: true, file: false }] };
    expect(run(workflow('name: $T'), { project })).toMatchObject({
      kind: 'invalid',
      problems: [{ code: 'language/secret', place: { line: 2 } }],
    });
  });
});

describe('workflow: auto_cancel', () => {
  const cancelOf = (text: string): unknown => {
    const answer = run(text);
    return answer.kind === 'plan' ? answer.plan.autoCancel : answer;
  };
  test('conservative and none are the default', () =>
    expect(cancelOf(JOB)).toEqual({ onNewCommit: 'conservative', onJobFailure: 'none' }));
  test('its own values, and those of the matched rule override them one by one', () => {
    expect(cancelOf(workflow('auto_cancel: {on_new_commit: interruptible, on_job_failure: all}'))).toEqual({
      onNewCommit: 'interruptible',
      onJobFailure: 'all',
    });
    expect(
      cancelOf(
        workflow(
          'auto_cancel: {on_new_commit: interruptible, on_job_failure: all}\nrules:\n  - if: $CI_COMMIT_BRANCH == "main"\n    auto_cancel: {on_new_commit: none}',
        ),
      ),
    ).toEqual({ onNewCommit: 'none', onJobFailure: 'all' });
  });
  test('unknown modes are an error', () =>
    expect(mistakes(workflow('auto_cancel: {on_new_commit: conservativ}')).join()).toContain(
      'must be "conservative"',
    ));
});
