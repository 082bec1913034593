import { expect, test } from 'vitest';
import { Silent, withLiveness } from '../../../../src/server/temporal/liveness.ts';

const never = (): Promise<never> => new Promise(() => undefined);
const after = <T>(ms: number, value: T): Promise<T> =>
  new Promise((resolve) => {
    setTimeout(() => resolve(value), ms);
  });

test('a call to a Temporal that never responds is abandoned after the silence, and its signal aborts', async () => {
  let told: AbortSignal | undefined;
  const asked = withLiveness({ answers: (ms) => after(ms, false), silenceMs: 200 }, (signal) => {
    told = signal;
    return never();
  });
  await expect(asked).rejects.toBeInstanceOf(Silent);
  expect(told?.aborted).toBe(true);
});

test('a hiccup that is shorter is waited for', async () => {
  const began = performance.now();
  const answers = async (ms: number): Promise<boolean> => {
    const hiccup = performance.now() - began < 300;
    if (hiccup) await after(Math.min(ms, 50), undefined);
    return !hiccup;
  };
  const work = async (signal: AbortSignal): Promise<string> => {
    await after(1_200, undefined);
    return signal.aborted ? 'given up' : 'decided';
  };
  expect(await withLiveness({ answers, silenceMs: 600 }, work)).toBe('decided');
});

test('the last try counts: what it answers is the answer, and an error of the call stays what it is', async () => {
  const options = { answers: async () => false, silenceMs: 100 };
  const lastTry = (signal: AbortSignal): Promise<string> =>
    new Promise((resolve) => {
      signal.addEventListener('abort', () => setTimeout(() => resolve('decided'), 50), { once: true });
    });
  expect(await withLiveness(options, lastTry)).toBe('decided');
  await expect(withLiveness(options, () => Promise.reject(new Error('refused')))).rejects.toThrow('refused');
});
