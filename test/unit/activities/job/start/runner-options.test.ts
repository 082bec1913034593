import { describe, expect, test } from 'vitest';
import { runnerOptions, type RunnerOptions } from '../../../../../activities/job/start/runner-options.ts';

const of = (values: Record<string, string>): RunnerOptions => runnerOptions(new Map(Object.entries(values)));

describe("variables of GitLab's runner", () => {
  test('nothing set means a checkout', () => {
    expect(of({})).toEqual({ source: 'all', submodules: false, trace: false, limits: {}, warnings: [] });
  });
  test.each([
    [{ GIT_STRATEGY: 'none' }, 'none'],
    [{ GIT_STRATEGY: 'empty' }, 'none'],
    [{ GIT_STRATEGY: 'clone' }, 'all'],
    [{ GIT_STRATEGY: 'fetch', GIT_CHECKOUT: 'false' }, 'git'],
    [{ GIT_CHECKOUT: 'true' }, 'all'],
  ])('%o', (values, source) => {
    expect(of(values).source).toBe(source);
  });
  test('an unsupported value is refused by name', () => {
    expect(() => of({ GIT_STRATEGY: 'pull' })).toThrow(/GIT_STRATEGY is "pull"/);
    expect(() => of({ GIT_SUBMODULE_STRATEGY: 'all' })).toThrow(/GIT_SUBMODULE_STRATEGY is "all"/);
    expect(of({ GIT_SUBMODULE_STRATEGY: 'recursive' }).submodules).toBe(true);
  });
  test('limits are durations', () => {
    expect(of({ RUNNER_SCRIPT_TIMEOUT: '1h30m', RUNNER_AFTER_SCRIPT_TIMEOUT: '90' })).toMatchObject({
      scriptSeconds: 5_400,
      afterSeconds: 90,
    });
    expect(of({ RUNNER_SCRIPT_TIMEOUT: 'soon' }).warnings).toHaveLength(1);
  });

  test.each([
    ['512Mi', '1', { memoryBytes: 512 * 1024 ** 2, cpus: 1 }],
    ['2G', '500m', { memoryBytes: 2e9, cpus: 0.5 }],
    ['104857600', '1.5', { memoryBytes: 104_857_600, cpus: 1.5 }],
  ])('limits as GitLab writes them: %s and %s', (memory, cpus, limits) => {
    const found = of({ KUBERNETES_MEMORY_LIMIT: memory, KUBERNETES_CPU_LIMIT: cpus });
    expect(found).toMatchObject({ limits, warnings: [] });
  });
  test.each(['-1', '1Mi', 'much', '1Xi'])('a limit of "%s" is left out, with a warning', (text) => {
    const found = of({ KUBERNETES_MEMORY_LIMIT: text });
    expect(found.limits).toEqual({});
    expect(found.warnings).toEqual([expect.stringContaining('KUBERNETES_MEMORY_LIMIT')]);
  });
});
