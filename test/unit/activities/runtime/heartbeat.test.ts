/** Activities that the workflows expect to hear from every 30 s. */
import { MockActivityEnvironment } from '@temporalio/testing';
import { afterEach, expect, test, vi } from 'vitest';
import { heartbeating } from '../../../../activities/runtime/heartbeat.ts';

afterEach(() => void vi.useRealTimers());

test('sends heartbeats until the result, and passes on a rejection', async () => {
  vi.useFakeTimers();
  const environment = new MockActivityEnvironment();
  let beats = 0;
  environment.on('heartbeat', () => {
    beats += 1;
  });
  const work = Promise.withResolvers<string>();
  const answer = environment.run(
    heartbeating(() => work.promise),
    undefined,
  );
  await vi.advanceTimersByTimeAsync(60_000);
  expect(beats).toBeGreaterThanOrEqual(3);
  work.resolve('done');
  expect(await answer).toBe('done');
  const until = beats;
  await vi.advanceTimersByTimeAsync(60_000);
  expect(beats).toBe(until);
  const failing = heartbeating(() => Promise.reject(new Error('away')));
  await expect(new MockActivityEnvironment().run(failing, undefined)).rejects.toThrow('away');
});
