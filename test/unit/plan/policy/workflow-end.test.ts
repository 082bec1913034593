import { describe, expect, test } from 'vitest';
import type { JobResult, Outcome } from '../../../../src/plan/model/outcome.ts';
import type { JobStatus, PipelineState } from '../../../../src/plan/model/protocol.ts';
import { DEADLINE_REASON, workflowEnd, type WorkflowEnd } from '../../../../src/plan/policy/workflow-end.ts';

const job = (key: string, outcome: Outcome, result: Partial<JobResult> = {}): JobStatus => ({
  key,
  stage: 'test',
  kind: 'script',
  phase: 'ended',
  outcome,
  allowedToFail: false,
  attempt: 1,
  epoch: 1,
  jobId: 1,
  queue: 'amd64',
  since: 0,
  decisions: [],
  result: { outcome, started: true, ...result },
});
const endOf = (state: PipelineState, jobs: JobStatus[] = [], reason?: string): WorkflowEnd =>
  workflowEnd({ state, jobs, ...(reason !== undefined && { reason }) });
const failed = (type: string, message: string) => ({ as: 'failed', type, message });

describe('what became of the pipeline', () => {
  test('success and nothing to run complete', () => {
    expect(endOf('success', [job('a', 'succeeded')])).toEqual({ as: 'completed' });
    expect(endOf('skipped', [], 'no job matches')).toEqual({ as: 'completed' });
  });
  test('a cancelled one is cancelled, and says by what', () => {
    expect(endOf('canceled', [job('a', 'cancelled')], 'superseded by shop/7')).toEqual({
      as: 'canceled',
      message: 'superseded by shop/7',
    });
  });
  test('one that ran into its deadline has failed, whatever its jobs did', () => {
    expect(endOf('canceled', [job('a', 'cancelled')], DEADLINE_REASON)).toEqual(
      failed('expired', DEADLINE_REASON),
    );
    expect(endOf('failed', [job('a', 'expired')], DEADLINE_REASON)).toEqual(
      failed('expired', DEADLINE_REASON),
    );
  });
  test('a file with errors names them', () => {
    expect(endOf('config_error', [], 'a.yml:1:1 one\na.yml:2:1 two')).toEqual(
      failed('config_error', 'a.yml:1:1 one\na.yml:2:1 two'),
    );
  });
  test('one without a plan could not be compiled', () => {
    expect(endOf('failed', [], 'The forge does not respond.')).toEqual(
      failed('errored', 'The forge does not respond.'),
    );
  });
});

describe('the job that is the cause', () => {
  test('failed first, and is not allowed to fail', () => {
    const jobs = [
      job('later', 'errored', { endedAt: 9, kind: 'engine' }),
      { ...job('allowed', 'failed', { endedAt: 1 }), allowedToFail: true },
      job('first', 'failed', { endedAt: 2, kind: 'out_of_memory' }),
      job('cancelled', 'cancelled', { endedAt: 0 }),
    ];
    expect(endOf('failed', jobs)).toEqual(failed('failed', 'first failed: out of memory (and 1 more)'));
  });
  test.each([
    ['failed', 'rejected', 'rejected'],
    ['expired', 'expired', 'expired'],
    ['errored', 'host_lost', 'errored'],
    ['failed', 'script', 'failed'],
  ] as const)('with outcome %s and kind %s gives the type %s', (outcome, kind, type) => {
    expect(endOf('failed', [job('a', outcome, { kind, message: 'why\n so' })])).toEqual(
      failed(type, `a ${type}: why so`),
    );
  });
  test('says no more than fits into a list', () => {
    const end = endOf('failed', [job('a', 'failed', { message: `\ud800${'x'.repeat(5_000)}` })]);
    expect(end.as === 'failed' && Buffer.byteLength(end.message)).toBeLessThanOrEqual(1_000);
    expect(end.as === 'failed' && end.message.isWellFormed()).toBe(true);
  });
});
