import { describe, expect, test } from 'vitest';
import { FAILURE_KINDS, type JobResult } from '../../../../src/plan/model/outcome.ts';
import { RETRY_REASONS, retryOf } from '../../../../src/plan/policy/job-retry.ts';
import { jobOf } from '../../../support/plans.ts';

const none = { auto: 0, retry: 0, autoMax: 2 };
const failed = (more: Partial<JobResult> = {}): JobResult => ({
  outcome: 'failed',
  kind: 'script',
  started: true,
  exitCode: 1,
  ...more,
});
const errored = (more: Partial<JobResult> = {}): JobResult => ({
  outcome: 'errored',
  kind: 'engine',
  started: false,
  ...more,
});
const twice = { retry: { max: 2, when: [], exitCodes: [] } };

describe('a failed attempt', () => {
  test('is retried as often as the file says, and at most twice', () => {
    const job = jobOf({ key: 'a', retry: { max: 5, when: [], exitCodes: [] } });
    expect(retryOf(job, failed(), none)).toBe('retry');
    expect(retryOf(job, failed(), { ...none, retry: 1 })).toBe('retry');
    expect(retryOf(job, failed(), { ...none, retry: 2 })).toBe('no');
    expect(retryOf(job, { ...failed(), refused: true }, none)).toBe('no');
    expect(retryOf(jobOf({ key: 'a' }), failed(), none)).toBe('no');
  });
  test('is matched by reason or by exit code', () => {
    const job = jobOf({ key: 'a', retry: { max: 1, when: ['runner_system_failure'], exitCodes: [42] } });
    expect(retryOf(job, failed(), none)).toBe('no');
    expect(retryOf(job, failed({ exitCode: 42 }), none)).toBe('retry');
    expect(retryOf(job, failed({ kind: 'no_space' }), none)).toBe('retry');
  });
  test('is final if a person or a deadline decided it', () => {
    const job = jobOf({ key: 'a', ...twice });
    for (const kind of ['rejected', 'expired', 'outdated'] as const)
      expect(retryOf(job, failed({ kind, started: false }), none)).toBe('no');
  });
});

describe('an errored attempt', () => {
  test('that never started is retried automatically, up to the limit', () => {
    expect(retryOf(jobOf({ key: 'a' }), errored(), none)).toBe('auto');
    expect(retryOf(jobOf({ key: 'a' }), errored(), { ...none, auto: 2 })).toBe('no');
  });
  test('is not retried if no worker took it in time or its spec is wrong', () => {
    expect(retryOf(jobOf({ key: 'a' }), errored({ kind: 'no_worker' }), none)).toBe('no');
    expect(retryOf(jobOf({ key: 'a' }), errored({ kind: 'config' }), none)).toBe('no');
  });
  test('whose host is lost goes elsewhere only if that is safe', () => {
    const lost = errored({ kind: 'host_lost', started: true });
    expect(retryOf(jobOf({ key: 'a' }), lost, none)).toBe('no');
    expect(retryOf(jobOf({ key: 'a', rerunnable: true }), lost, none)).toBe('auto');
    const environment = { name: 'prod', action: 'start' as const };
    expect(retryOf(jobOf({ key: 'a', rerunnable: true, environment, ...twice }), lost, none)).toBe('no');
  });
  test('of a deployment that may have begun is never repeated', () => {
    const deploy = jobOf({ key: 'd', kind: 'deploy', rerunnable: true, ...twice });
    expect(retryOf(deploy, failed({ kind: 'rollout' }), none)).toBe('no');
    expect(retryOf(deploy, errored({ started: true, kind: 'host_lost' }), none)).toBe('no');
    expect(retryOf(deploy, errored(), none)).toBe('auto');
  });
});

test('what was cancelled or skipped is not retried', () => {
  const job = jobOf({ key: 'a', ...twice });
  for (const outcome of ['cancelled', 'skipped', 'succeeded', 'expired'] as const)
    expect(retryOf(job, { outcome, started: true }, none)).toBe('no');
});
test('every failure kind matches its reasons', () => {
  expect(Object.keys(RETRY_REASONS).sort()).toEqual([...FAILURE_KINDS].sort());
});
