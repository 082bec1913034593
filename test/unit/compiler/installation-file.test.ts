import { describe, expect, test } from 'vitest';
import { parseInstallation, parseWorkerConfig } from '../../../src/compiler/installation-file.ts';

describe('the installation file', () => {
  test('an empty one is the default installation', () => {
    expect(parseInstallation('', 'd.yml')).toMatchObject({
      ok: true,
      value: { default_arch: 'amd64', projects: [], limits: { job_timeout: 3_600_000 } },
    });
    expect(parseInstallation('# nothing', 'd.yml').ok).toBe(true);
  });
  test('durations and secret references are read', () => {
    const text =
      'limits: {job_timeout: 2h}\nprojects: [{name: table, webhook_secret: "env:HOOK", variables: {A: b, S: {secret: "file:/s"}}}]';
    expect(parseInstallation(text, 'd.yml')).toMatchObject({
      ok: true,
      value: {
        limits: { job_timeout: 7_200_000 },
        projects: [
          {
            name: 'table',
            webhook_secret: 'env:HOOK',
            variables: { A: 'b', S: { secret: 'file:/s', masked: true } },
          },
        ],
      },
    });
  });
  const mistakes = (text: string): string[] => {
    const answer = parseInstallation(text, 'd.yml');
    return answer.ok
      ? []
      : answer.problems.map(
          (problem) =>
            `${problem.code} ${problem.place?.line}:${problem.place?.column} ${problem.message} | ${problem.hint}`,
        );
  };
  test('a typo has its place and the right spelling', () => {
    expect(mistakes('projcts: []')).toEqual([
      'installation/invalid 1:1 installation has an unknown key "projcts" | Did you mean "projects"?',
    ]);
    expect(mistakes('projects:\n  - name: x\n    clone_ulr: y')).toEqual([
      'installation/invalid 3:5 installation.projects[0] has an unknown key "clone_ulr" | Did you mean "clone_url"?',
    ]);
  });
  test('a secret must be a reference', () => {
    const found = mistakes('projects: [{name: x, webhook_secret: hunter2}]');
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(/installation\/invalid 1:38 .*must be a reference to a secret/);
    expect(found[0]).not.toContain('hunter2');
  });
  test('names are unique', () => {
    expect(mistakes('targets: [{name: a}, {name: a}]').join()).toContain('1:22 targets names "a" twice');
    expect(mistakes('registries: [{host: a, default: true}, {host: b, default: true}]').join()).toContain(
      'only one registry',
    );
  });
  test('bad YAML, and a list', () => {
    expect(mistakes('a: [').join()).toContain('installation/invalid');
    expect(mistakes('- a').join()).toContain('must be a map, not a list');
  });
});

describe('the configuration of a worker', () => {
  test('read with its defaults', () => {
    expect(parseWorkerConfig('devices: {gpio: [/dev/gpiochip0]}', 'w.yml')).toMatchObject({
      ok: true,
      value: { slots: 8, devices: { gpio: { paths: ['/dev/gpiochip0'], refs: 'protected' } } },
    });
  });
  test('refused with a place', () => {
    expect(parseWorkerConfig('slots: 0', 'w.yml')).toMatchObject({
      ok: false,
      problems: [{ code: 'installation/invalid', place: { file: 'w.yml', line: 1, column: 8 } }],
    });
  });
});
