import { expect, test } from 'vitest';
import { setPhase, type JobRun } from '../../../../workflows/job/state.ts';

test('a script that is resumed has run since it began; what waits has waited since it waits', () => {
  const job = { status: { phase: 'dispatched', since: 0 }, startedAt: 1_000 } as unknown as JobRun; // no more of it is looked at
  const changed = (): void => undefined;
  setPhase({ changed }, job, { phase: 'running' });
  expect(job.status.since).toBe(1_000);
  const before = Date.now();
  setPhase({ changed }, job, { phase: 'dispatched', waitingFor: 'slots' });
  expect(job.status.since).toBeGreaterThanOrEqual(before);
});
