import { expect, test } from 'vitest';
import type { CancellationScope } from '@temporalio/workflow';
import { setLivePhase, setPhase, type JobRun } from '../../../../workflows/job/state.ts';

const scope = {} as unknown as CancellationScope; // only its identity is used
const changed = (): void => undefined;
const makeJob = (): JobRun =>
  ({
    spec: { key: 'unit' },
    status: { phase: 'created', since: 0 },
    state: { phase: 'created' },
    attempt: {},
  }) as unknown as JobRun; // the rest is not used

test('a resumed script has run since it started; a waiting job waits since its phase began', () => {
  const job = makeJob();
  setPhase({ changed }, job, { phase: 'dispatched', scope });
  job.attempt.startedAt = 1_000;
  setLivePhase({ changed }, job, { phase: 'running' });
  expect(job.status.since).toBe(1_000);
  const before = Date.now();
  setLivePhase({ changed }, job, { phase: 'dispatched' }, 'slots');
  expect(job.status).toMatchObject({ phase: 'dispatched', waitingFor: 'slots' });
  expect(job.status.since).toBeGreaterThanOrEqual(before);
});

test('the scope lives as long as the lifecycle', () => {
  const job = makeJob();
  expect(() => setLivePhase({ changed }, job, { phase: 'running' })).toThrow('unit is not running');
  setPhase({ changed }, job, { phase: 'dispatched', scope });
  setLivePhase({ changed }, job, { phase: 'stopping' });
  expect(job.state).toEqual({ phase: 'stopping', scope });
  setPhase({ changed }, job, { phase: 'ended' });
  expect(job.state).toEqual({ phase: 'ended' });
});
