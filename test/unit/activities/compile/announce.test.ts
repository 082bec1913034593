import { MockActivityEnvironment } from '@temporalio/testing';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { announced } from '../../../../activities/compile/announce.ts';
import type { StatusReport } from '../../../../src/plan/model/commit-status.ts';
import { triggerOf } from '../../../support/plans.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const input = { id: 'table/7', iid: 7, number: 70, order: 6.5, trigger: triggerOf('table') } as const;

function planned(of: Partial<typeof input> = {}) {
  const told: StatusReport[] = [];
  const { promise, resolve } = Promise.withResolvers<string>();
  const report = async (one: StatusReport): Promise<void> => void told.push(one);
  const done = new MockActivityEnvironment().run(() => announced({ ...input, ...of }, report, () => promise));
  return { told, resolve, done };
}

test('a plan that takes long is told once, before everything that the pipeline tells', async () => {
  const { told, resolve, done } = planned();
  await vi.advanceTimersByTimeAsync(9_000);
  expect(told).toEqual([]);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(told).toEqual([
    {
      project: 'table',
      id: 'table/7',
      sha: input.trigger.sha,
      ref: 'main',
      state: 'created',
      kind: 'push',
      place: [6.5, 0, 0],
    },
  ]);
  resolve('plan');
  expect(await done).toBe('plan');
});

test('a quick plan is not, nor that of a working tree', async () => {
  const quick = planned();
  await vi.advanceTimersByTimeAsync(1_000);
  quick.resolve('plan');
  await quick.done;
  const tree = planned({ trigger: triggerOf('table', { source: 'cli' }) });
  await vi.advanceTimersByTimeAsync(60_000);
  tree.resolve('plan');
  await tree.done;
  expect([...quick.told, ...tree.told]).toEqual([]);
});

test('a report that fails does not fail the plan', async () => {
  const { promise, resolve } = Promise.withResolvers<string>();
  const report = () => Promise.reject(new Error('Temporal does not respond'));
  const done = new MockActivityEnvironment().run(() => announced(input, report, () => promise));
  await vi.advanceTimersByTimeAsync(60_000);
  resolve('plan');
  expect(await done).toBe('plan');
});
