import { beforeEach, expect, test, vi } from 'vitest';
import { eventText } from '../../../src/adapters/docker/progress.ts';
import { retry } from '../../../src/utils/retry.ts';
import { DavitError } from '../../../src/errors.ts';

const clock = vi.hoisted(() => ({ ms: 0 }));
vi.mock('node:timers/promises', () => ({
  setTimeout: async (ms: number) => {
    clock.ms += ms;
  },
}));
beforeEach(() => {
  clock.ms = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => clock.ms);
});
const away = async (): Promise<never> => {
  throw new DavitError('registry/unreachable', 'Nobody there.');
};

test('retries of an unreachable registry end in time, and do not flood the log', async () => {
  const onWait = vi.fn();
  await expect(retry(undefined, away, { forMs: 240_000, onWait })).rejects.toMatchObject({
    code: 'registry/unreachable',
  });
  expect(clock.ms).toBeGreaterThan(200_000);
  expect(clock.ms).toBeLessThanOrEqual(240_000);
  expect(onWait.mock.calls.length).toBeGreaterThanOrEqual(6);
  expect(onWait.mock.calls.length).toBeLessThanOrEqual(8);
});
test('a permanent error is not retried', async () => {
  const attempt = vi.fn(async () => {
    throw new DavitError('registry/denied', 'No.');
  });
  await expect(retry(undefined, attempt)).rejects.toMatchObject({ code: 'registry/denied' });
  expect(attempt).toHaveBeenCalledTimes(1);
});
test('a push logs its start once, however often it is retried', () => {
  expect(eventText({ status: 'The push refers to repository [127.0.0.1:1/x]' })).toBeUndefined();
  expect(eventText({ id: '563c99d0a9ef', status: 'Pushed' })).toBe('563c99d0a9ef: Pushed\n');
});
