import { expect, test } from 'vitest';
import { Silent, withLiveness } from '../../../../src/server/temporal/liveness.ts';

const never = (): Promise<never> => new Promise(() => undefined);
const after = <T>(ms: number, value: T): Promise<T> =>
  new Promise((resolve) => {
    setTimeout(() => resolve(value), ms);
  });

test('a call to a Temporal that never responds is abandoned after the silence, and its signal aborts', async () => {
  let told: AbortSignal | undefined;
  const asked = withLiveness({ responds: (ms) => after(ms, false), silenceMs: 200 }, (signal) => {
    told = signal;
    return never();
  });
  await expect(asked).rejects.toBeInstanceOf(Silent);
  expect(told?.aborted).toBe(true);
});

test('a shorter interruption is waited for', async () => {
  const began = performance.now();
  const responds = async (ms: number): Promise<boolean> => {
    const hiccup = performance.now() - began < 300;
    if (hiccup) await after(Math.min(ms, 50), undefined);
    return !hiccup;
  };
  const work = async (signal: AbortSignal): Promise<string> => {
    await after(1_200, undefined);
    return signal.aborted ? 'given up' : 'decided';
  };
  expect(await withLiveness({ responds, silenceMs: 600 }, work)).toBe('decided');
});

test('the result of the last attempt counts, and an error of the call is kept', async () => {
  const options = { responds: async () => false, silenceMs: 100 };
  const lastTry = (signal: AbortSignal): Promise<string> =>
    new Promise((resolve) => {
      signal.addEventListener('abort', () => setTimeout(() => resolve('decided'), 50), { once: true });
    });
  expect(await withLiveness(options, lastTry)).toBe('decided');
  await expect(withLiveness(options, () => Promise.reject(new Error('refused')))).rejects.toThrow('refused');
});
