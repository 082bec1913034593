import { beforeEach, describe, expect, test, vi } from 'vitest';
import { eventText } from '../../../src/adapters/docker/progress.ts';
import { constant, exponential, linear, retry, withCode } from '../../../src/utils/retry.ts';
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

test('an unreachable registry is given up in time, without flooding the log', async () => {
  const onWait = vi.fn();
  await expect(retry(away, { forMs: 240_000, onWait, onWaitEveryMs: 30_000 })).rejects.toMatchObject({
    code: 'registry/unreachable',
  });
  expect(clock.ms).toBeGreaterThan(200_000);
  expect(clock.ms).toBeLessThanOrEqual(240_000);
  expect(onWait.mock.calls.length).toBeGreaterThanOrEqual(6);
  expect(onWait.mock.calls.length).toBeLessThanOrEqual(8);
});
test('an error that a retry cannot fix is not retried', async () => {
  const attempt = vi.fn(async () => {
    throw new DavitError('registry/denied', 'No.');
  });
  await expect(retry(attempt)).rejects.toMatchObject({ code: 'registry/denied' });
  expect(attempt).toHaveBeenCalledTimes(1);
});
test('a push reports its progress once, however often it is retried', () => {
  expect(eventText({ status: 'The push refers to repository [127.0.0.1:1/x]' })).toBeUndefined();
  expect(eventText({ id: '563c99d0a9ef', status: 'Pushed' })).toBe('563c99d0a9ef: Pushed\n');
});

describe('policies', () => {
  const busy = new DavitError('store/no-space', 'Full.');
  const failing = (times: number, error: unknown = busy) => {
    let count = 0;
    return vi.fn(async () => {
      count += 1;
      if (count <= times) throw error;
      return 'done';
    });
  };
  const retryable = (): boolean => true;

  test('pauses follow the backoff, and are never shorter than the error demands', async () => {
    const waits = async (policy: Parameters<typeof retry>[1]): Promise<number[]> => {
      const seen: number[] = [];
      await retry(failing(4), { retryable, onWait: (_, ms) => seen.push(ms), ...policy });
      return seen;
    };
    expect(await waits({})).toEqual([100, 200, 400, 800]);
    expect(await waits({ backoff: exponential(1_000, 3_000) })).toEqual([1_000, 2_000, 3_000, 3_000]);
    expect(await waits({ backoff: constant(250) })).toEqual([250, 250, 250, 250]);
    expect(await waits({ backoff: linear(100) })).toEqual([100, 200, 300, 400]);
    expect(await waits({ minWaitMs: () => 300 })).toEqual([300, 300, 400, 800]);
  });

  test('only the named codes are repeated', async () => {
    expect(await retry(failing(1), { retryable: withCode('store/no-space') })).toBe('done');
    await expect(retry(failing(1), { retryable: withCode('store/unreachable') })).rejects.toBe(busy);
  });

  test('attempts are counted, and the last error is thrown', async () => {
    const attempt = failing(6);
    await expect(retry(attempt, { retryable, maxAttempts: 6 })).rejects.toBe(busy);
    expect(attempt).toHaveBeenCalledTimes(6);
  });

  test('time can count from the first failure: a long attempt before it is not an outage', async () => {
    const slow = (): (() => Promise<string>) => {
      const attempt = failing(1);
      return async () => {
        clock.ms += 10_000;
        return attempt();
      };
    };
    await expect(retry(slow(), { retryable, forMs: 1_000 })).rejects.toBe(busy);
    expect(await retry(slow(), { retryable, forMs: 1_000, countFrom: 'first-failure' })).toBe('done');
  });

  test('an aborted signal is the reason, unless the error is an answer', async () => {
    const over = new AbortController();
    const reason = new Error('the worker stops');
    const attempt = async (): Promise<never> => {
      over.abort(reason);
      throw busy;
    };
    await expect(retry(attempt, { retryable, signal: over.signal })).rejects.toBe(reason);
    const final = withCode('store/no-space');
    await expect(retry(attempt, { final, retryable, signal: over.signal })).rejects.toBe(busy);
  });

  test('a signal during the pause ends it with its reason, or after one last attempt', async () => {
    const policy = (reason: Error) => {
      const over = new AbortController();
      return { retryable, signal: over.signal, onWait: () => over.abort(reason) };
    };
    const reason = new Error('the limit is over');
    const attempt = failing(9);
    await expect(retry(attempt, policy(reason))).rejects.toBe(reason);
    expect(attempt).toHaveBeenCalledTimes(1);
    const last = failing(9);
    await expect(retry(last, { ...policy(reason), onAbort: 'last-attempt' })).rejects.toBe(busy);
    expect(last).toHaveBeenCalledTimes(2);
    expect(await retry(failing(1), { ...policy(reason), onAbort: 'last-attempt' })).toBe('done');
  });
});
