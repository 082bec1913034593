import { describe, expect, test } from 'vitest';
import type { WorkerReport } from '../../../src/plan/model/queues.ts';
import { job, mistakes, run, type Overrides } from './helpers.ts';

const one = (rest: string): string => `j: {image: x, script: x, ${rest}}`;
const plan = (rest: string, more: Overrides = {}): unknown => job(one(rest), 'j', more).job;

describe('when and allow_failure', () => {
  test('on_success is the default, and its failure counts', () => {
    expect(plan('tags: []')).toMatchObject({ when: 'on_success', allowFailure: false });
  });
  test('manual outside of rules may fail: the pipeline goes on without it', () => {
    expect(plan('when: manual')).toMatchObject({ when: 'manual', allowFailure: true });
  });
  test('manual with allow_failure: false blocks', () => {
    expect(plan('when: manual, allow_failure: false')).toMatchObject({ when: 'manual', allowFailure: false });
  });
  test('a gate implies manual and blocks', () => {
    expect(plan('gate: {approvers: ops}')).toMatchObject({
      when: 'manual',
      allowFailure: false,
      gate: { approvers: ['ops'], expiresInMs: 604_800_000, requires: [] },
    });
    expect(plan('when: manual, gate: true')).toMatchObject({
      when: 'manual',
      allowFailure: false,
      gate: { approvers: [] },
    });
  });
  test('a gate that contradicts itself', () => {
    expect(mistakes(one('gate: true, when: always')).join()).toContain('language/conflict');
    expect(mistakes(one('gate: true, allow_failure: true')).join()).toContain('language/conflict');
  });
  test('exit codes that are allowed', () => {
    expect(plan('allow_failure: {exit_codes: 137}')).toMatchObject({ allowFailure: [137] });
    expect(plan('allow_failure: {exit_codes: [1, 2]}')).toMatchObject({ allowFailure: [1, 2] });
  });
  test('delayed takes start_in', () => {
    expect(plan('when: delayed, start_in: 30 minutes')).toMatchObject({
      when: 'delayed',
      startInMs: 1_800_000,
      allowFailure: false,
    });
    expect(mistakes(one('when: delayed')).join()).toContain('language/missing');
    expect(mistakes(one('start_in: 5 min')).join()).toContain('language/conflict');
  });
  test('never is allowed in rules only', () =>
    expect(mistakes(one('when: never')).join()).toContain('language/type'));
});

describe('manual_confirmation', () => {
  test('is in the plan of a manual job, with its variables replaced', () => {
    expect(plan("when: manual, manual_confirmation: 'Drop $CI_COMMIT_BRANCH?'")).toMatchObject({
      confirmation: 'Drop main?',
    });
    expect(plan('rules: [{when: manual}], manual_confirmation: Sure?')).toMatchObject({
      confirmation: 'Sure?',
    });
    expect(plan('gate: true, manual_confirmation: Sure?')).toMatchObject({ confirmation: 'Sure?' });
  });
  test('has no effect on a job that is not manual, and lint reports it', () => {
    const answer = run(one('manual_confirmation: Sure?'));
    expect(answer.kind === 'plan' && answer.warnings.map((warning) => warning.code)).toEqual([
      'language/no-effect',
    ]);
    expect(plan('manual_confirmation: Sure?')).not.toHaveProperty('confirmation');
  });
  test('accepts text, and no secret', () => {
    expect(mistakes(one('when: manual, manual_confirmation: [a]')).join()).toContain('language/type');
    const secret = { name: 'S', value: { literal: 'x' }, masked: true, file: false };
    const more = { project: { variables: [secret] } };
    expect(mistakes(one('when: manual, manual_confirmation: $S'), more).join()).toContain('language/secret');
  });
});

describe('gates', () => {
  const text = `
stages: [test, deploy]
t: {stage: test, image: x, script: x}
u: {stage: deploy, image: x, script: x}
d: {stage: deploy, image: x, script: x, gate: {requires: [t, u], expires_in: 2 days}}`;
  test('requires jobs of its own stage too', () => {
    expect(job(text, 'd').job.gate).toEqual({
      approvers: [],
      expiresInMs: 172_800_000,
      requires: ['t', 'u'],
    });
    expect(job(text, 'd').job.needs).toBeNull();
  });
  test('with needs, required jobs are needed too', () => {
    const needs = job(
      text
        .replace('requires:', 'requires: [u]}, needs: [t], environment: {name: x}, variables: {A:')
        .replace('[t, u], expires_in: 2 days', 'b'),
      'd',
    ).job.needs;
    expect(needs).toEqual([
      { job: 't', artifacts: true, optional: false },
      { job: 'u', artifacts: false, optional: false },
    ]);
  });
});

describe('retry, timeout, interruptible', () => {
  test('retry as a number, a map, and not more than 2', () => {
    expect(plan('retry: 2')).toMatchObject({ retry: { max: 2, when: ['always'], exitCodes: [] } });
    expect(plan('retry: {max: 1, when: script_failure}')).toMatchObject({
      retry: { max: 1, when: ['script_failure'] },
    });
    expect(plan('retry: {max: 1, exit_codes: [3]}')).toMatchObject({
      retry: { max: 1, when: [], exitCodes: [3] },
    });
    expect(plan('tags: []')).toMatchObject({ retry: { max: 0, when: [], exitCodes: [] } });
    expect(mistakes(one('retry: 3'))).toEqual(['language/type 1:33 retry must be 0, 1 or 2']);
  });
  test('durations in GitLab words', () => {
    expect(plan('timeout: 1h 30m')).toMatchObject({ timeoutMs: 5_400_000 });
    expect(plan('timeout: "3600"')).toMatchObject({ timeoutMs: 3_600_000 });
    expect(mistakes(one('timeout: soon')).join()).toContain('1:35 timeout must be a duration');
  });
  test('what may run again when its host is lost', () => {
    expect(plan('tags: []')).toMatchObject({ rerunnable: false });
    expect(plan('retry: 1')).toMatchObject({ rerunnable: true });
    expect(plan('retry: {max: 1, when: runner_system_failure}')).toMatchObject({ rerunnable: true });
    expect(plan('retry: {max: 1, when: script_failure}')).toMatchObject({ rerunnable: false });
    expect(plan('interruptible: true')).toMatchObject({ rerunnable: true });
    expect(plan('interruptible: true, environment: prod')).toMatchObject({ rerunnable: false });
  });
});

describe('environment and resource_group', () => {
  test('names and urls with variables', () => {
    expect(
      plan(
        'environment: {name: review/$CI_COMMIT_REF_SLUG, url: "https://$CI_ENVIRONMENT_SLUG.example.com"}',
      ),
    ).toMatchObject({
      environment: {
        name: 'review/main',
        url: expect.stringMatching(/^https:\/\/review-main-[0-9a-z]{6}\.example\.com$/),
        action: 'start',
      },
    });
    expect(plan('resource_group: "deploy-$CI_COMMIT_BRANCH"')).toMatchObject({
      resourceGroup: 'deploy-main',
    });
  });
});

describe('queues', () => {
  const worker = (tags: string[], arches: WorkerReport['arches'] = ['amd64']): WorkerReport => ({
    id: tags.join(),
    hostId: 'h',
    hostName: 'h',
    arches,
    emulated: [],
    tags,
    targets: [],
    deviceTags: [],
    slots: 1,
    version: '1',
    seenAt: 0,
  });
  test('no tag: the default architecture', () => expect(plan('tags: []')).toMatchObject({ queue: 'amd64' }));
  test('arch, or a tag that names one', () => {
    expect(plan('arch: arm64')).toMatchObject({ queue: 'arm64', arch: 'arm64' });
    expect(plan('tags: [arm32]')).toMatchObject({ queue: 'arm32', arch: 'arm32' });
    expect(mistakes(one('arch: arm64, tags: [arm32]')).join()).toContain('language/conflict');
  });
  test('the rarest tag, case-sensitive', () => {
    const fleet = [worker(['docker']), worker(['docker', 'gpio'])];
    expect(plan('tags: [docker, gpio]', { fleet })).toMatchObject({ queue: 'tag-gpio' });
    expect(plan('tags: [docker, GPIO]', { fleet })).toMatchObject({
      queue: 'tag-GPIO',
      missingTags: ['GPIO'],
    });
  });
  test('tags are expanded', () =>
    expect(plan('tags: [$CI_COMMIT_BRANCH]')).toMatchObject({ tags: ['main'], queue: 'tag-main' }));
  test('tags that no worker has together are a warning', () => {
    const fleet = [worker(['docker']), worker(['gpio'], ['arm32'])];
    const warned = (text: string) => run(one(text), { fleet });
    expect(warned('tags: [docker, gpio]')).toMatchObject({
      warnings: [{ message: expect.stringContaining('the tags docker, gpio together') }],
    });
    expect(warned('arch: amd64, tags: [gpio]')).toMatchObject({
      warnings: [{ message: expect.stringContaining('the tags amd64, gpio together') }],
    });
    expect(warned('arch: arm32, tags: [gpio]')).toMatchObject({ warnings: [] });
  });
  test('a job that no worker can take now is a warning', () => {
    const answer = run(one('tags: [mars]'), { fleet: [worker(['docker'])] });
    expect(answer).toMatchObject({
      kind: 'plan',
      warnings: [{ code: 'language/no-worker', severity: 'warning' }],
    });
  });
});

describe('stages', () => {
  test('may be in lists of lists, as anchors make them', () => {
    const answer = run('stages: [a, [b, [c]]]\nj: {image: x, script: x, stage: c}');
    expect(answer).toMatchObject({ kind: 'plan', plan: { stages: ['c'] } });
  });
});
