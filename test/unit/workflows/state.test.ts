import { expect, test } from 'vitest';
import { enter, type JobRun } from '../../../workflows/state.ts';

test('a script that is resumed has run since it began; what waits has waited since it waits', () => {
  const one = { status: { phase: 'dispatched', since: 0 }, startedAt: 1_000 } as unknown as JobRun; // no more of it is looked at
  const changed = (): void => undefined;
  enter({ changed }, one, { phase: 'running' });
  expect(one.status.since).toBe(1_000);
  const before = Date.now();
  enter({ changed }, one, { phase: 'dispatched', waitingFor: 'slots' });
  expect(one.status.since).toBeGreaterThanOrEqual(before);
});
