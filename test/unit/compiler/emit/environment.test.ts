import { describe, expect, test } from 'vitest';
import { job, jobs, mistakes, run, variable } from '../helpers.ts';

const J = 'image: x, script: x';
const pair = (deploy: string, stop = 'action: stop'): string =>
  `d: {${J}, environment: {name: review/$CI_COMMIT_REF_SLUG, ${deploy}}}\ns: {${J}, when: manual, environment: {name: review/$CI_COMMIT_REF_SLUG, ${stop}}}`;
const environment = (text: string, key = 'd') => job(text, key).job.environment;

describe('environment', () => {
  test('on_stop and auto_stop_in reach the plan', () => {
    expect(environment(pair('on_stop: s, auto_stop_in: 2 days'))).toEqual({
      name: 'review/main',
      action: 'start',
      tier: 'development',
      onStop: 's',
      autoStopInMs: 172_800_000,
    });
    expect(environment(pair('on_stop: s'), 's')).toMatchObject({ action: 'stop' });
  });
  test('auto_stop_in takes variables, and never', () => {
    const text = (value: string): string =>
      `d: {${J}, variables: {T: 1 week}, environment: {name: a, auto_stop_in: ${value}}}`;
    expect(environment(text('$T'))?.autoStopInMs).toBe(604_800_000);
    expect(environment(text('never'))?.autoStopInMs).toBeUndefined();
    expect(mistakes(text('soon')).join()).toContain('auto_stop_in of "d" must be a duration');
    expect(environment(text('$NOBODY'))?.autoStopInMs).toBeUndefined();
  });
  test.each([
    ['on_stop: nobody', 'action: stop', 'there is no such job'],
    ['on_stop: s', 'action: start', 'has no action: stop'],
  ])('%s and %s', (deploy, stop, text) => {
    expect(mistakes(pair(deploy, stop)).join()).toContain(text);
  });
  test('the job that stops must have the same environment, and no gate', () => {
    const other = (more: string): string =>
      `d: {${J}, environment: {name: a, on_stop: s}}\ns: {${J}, ${more}}`;
    expect(mistakes(other('tags: []')).join()).toContain('has no environment');
    expect(mistakes(other('environment: {name: b, action: stop}')).join()).toContain(
      'has another environment',
    );
    expect(mistakes(other('environment: {name: a, action: stop}, gate: true')).join()).toContain(
      'has a gate',
    );
  });
  test('a job that stops and is not in the pipeline is a warning', () => {
    const answer = run(
      `d: {${J}, environment: {name: a, on_stop: s}}\ns: {${J}, only: [tags], environment: {name: a, action: stop}}`,
    );
    expect(answer.kind === 'plan' && answer.warnings.map((one) => one.code)).toEqual(['language/absent-job']);
  });
  test('of jobs made by parallel, each environment has its own', () => {
    const all = jobs(
      `d: {${J}, environment: {name: a/$V, on_stop: s}, parallel: {matrix: [{V: [x, y]}]}}\ns: {${J}, environment: {name: a/$V, action: stop}, parallel: {matrix: [{V: [x, y]}]}}`,
    );
    expect(all['d: [y]']?.job.environment?.onStop).toBe('s: [y]');
  });
  test.each([
    ['review/x', 'development'],
    ['qa', 'testing'],
    ['pre-live', 'staging'],
    ['production', 'production'],
    ['gstg', 'staging'],
    ['moon', 'other'],
  ])('the tier of %s is %s', (name, tier) => {
    const compiled = job(`d: {${J}, environment: ${name}}`, 'd');
    expect(compiled.job.environment?.tier).toBe(tier);
    expect(variable(compiled, 'CI_ENVIRONMENT_TIER')).toBe(tier);
  });
  test('deployment_tier sets it', () => {
    expect(environment(`d: {${J}, environment: {name: moon, deployment_tier: testing}}`)?.tier).toBe(
      'testing',
    );
    expect(mistakes(`d: {${J}, environment: {name: moon, deployment_tier: x}}`).join()).toContain(
      'language/type',
    );
  });
  test('kubernetes of image and services is refused by name', () => {
    const image = 'image: {name: x, kubernetes: {user: "1000"}}';
    expect(mistakes(`d: {script: x, ${image}}`)).toEqual([
      'language/refused 1:45 image.kubernetes is refused: davit runs jobs on Docker engines; `docker: user` names the user there',
    ]);
    const services = 'services: [{name: x, kubernetes: {user: "1000"}}]';
    expect(mistakes(`d: {script: x, image: x, ${services}}`).join()).toContain(
      'services[0].kubernetes is refused',
    );
  });
  test('kubernetes is refused by name', () => {
    expect(mistakes(`d: {${J}, environment: {name: a, kubernetes: {namespace: x}}}`).join()).toContain(
      'language/refused',
    );
  });
  test('a variable of the own dotenv report stays open in the url, without a report it is empty', () => {
    const text = (more: string): string =>
      `d: {${J}, environment: {name: a, url: "https://$HOST/$CI_COMMIT_REF_SLUG"}${more}}`;
    const own = job(text(', artifacts: {reports: {dotenv: e.env}}'), 'd');
    expect(own.job.environment?.url).toBe('https://${HOST}/main');
    expect(own.spec.environment?.url).toBe('https://${HOST}/main');
    expect(job(text(''), 'd').job.environment?.url).toBe('https:///main');
  });
});
