/**
 * One table for all kinds of jobs. The list below shows where the two earlier tables disagreed, and the
 * decision.
 */
import { describe, expect, test } from 'vitest';
import { verdictOfError } from '../../../../activities/job/container/verdict.ts';
import { endedBy } from '../../../../activities/runtime/outcome.ts';
import { DavitError, type ErrorCode, ERRORS } from '../../../../src/errors.ts';
import { RETRY_REASONS } from '../../../../src/plan/policy/job-retry.ts';

/** Code, the result for jobs in containers before, for builds and deployments before, and for all now. */
const DECIDED: readonly (readonly [ErrorCode, string, string, string])[] = [
  ['secret/missing', 'failed config', 'errored config', 'errored config'],
  ['blob/missing', 'errored missing_dependency', 'errored artifact', 'errored missing_dependency'],
  ['engine/build-failed', 'errored engine', 'failed script', 'failed script'],
  ['engine/container-missing', 'errored host_lost', 'errored internal', 'errored host_lost'],
  ['engine/address', 'errored engine', 'errored internal', 'errored engine'],
  ['engine/untrusted', 'errored engine', 'errored internal', 'errored engine'],
  ['engine/version', 'errored engine', 'errored internal', 'errored engine'],
  ['engine/name-taken', 'errored engine', 'errored internal', 'errored engine'],
  ['engine/in-use', 'errored engine', 'errored internal', 'errored engine'],
  ['engine/no-network', 'errored engine', 'errored internal', 'errored engine'],
  ['registry/denied', 'errored internal', 'failed registry', 'failed registry'],
  [
    'registry/missing-manifest',
    'errored internal',
    'errored missing_dependency',
    'errored missing_dependency',
  ],
  ['registry/failed', 'errored internal', 'errored registry', 'errored registry'],
  ['build/no-dockerfile', 'errored internal', 'failed config', 'failed config'],
  ['source/refused', 'errored internal', 'failed config', 'failed config'],
  ['job/readiness', 'failed readiness', 'errored internal', 'failed readiness'],
  ['job/artifacts', 'failed artifact', 'errored internal', 'failed artifact'],
  ['job/source', 'failed config', 'errored internal', 'failed config'],
  ['usage/invalid', 'errored internal', 'failed config', 'failed config'],
  ['deploy/unknown-target', 'errored internal', 'failed config', 'failed config'],
  ['target/refused', 'errored internal', 'failed config', 'failed config'],
  ['target/not-a-manager', 'errored internal', 'errored config', 'errored config'],
  ['target/unreachable', 'errored internal', 'errored engine', 'errored engine'],
  ['target/missing', 'errored internal', 'errored engine', 'errored engine'],
];
const CODES = Object.keys(ERRORS).filter((code): code is ErrorCode => Object.hasOwn(ERRORS, code));

describe('the outcome of an error', () => {
  test.each(DECIDED)('%s: a job said %s, a build or deployment %s', (code, _job, _other, now) => {
    const error = new DavitError(code, 'It is so.');
    for (const { outcome, kind } of [verdictOfError(error), endedBy(error)])
      expect(`${outcome} ${kind}`).toBe(now);
  });

  test('is the same for every kind of job, whatever the code', () => {
    for (const code of CODES) {
      const error = new DavitError(code, 'It is so.');
      const { outcome, kind, message } = endedBy(error);
      expect(verdictOfError(error), code).toEqual({ outcome, kind, message });
    }
  });

  test('of a missing secret is never retried automatically and matches the reason that GitLab users write', () => {
    expect(RETRY_REASONS.config).toContain('runner_configuration_error');
    expect(endedBy(new DavitError('secret/missing', 'No such variable.'))).toMatchObject({ kind: 'config' });
  });

  test('of a lost blob matches missing_dependency_failure and no system failure', () => {
    const { kind } = endedBy(new DavitError('blob/missing', 'It has expired.'));
    expect(RETRY_REASONS[kind ?? 'internal']).toContain('missing_dependency_failure');
    expect(RETRY_REASONS[kind ?? 'internal']).not.toContain('runner_system_failure');
  });
});
