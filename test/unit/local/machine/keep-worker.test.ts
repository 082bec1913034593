import { expect, test } from 'vitest';
import { DavitError } from '../../../../src/errors.ts';
import { keepWorker, type KeptWorker } from '../../../../src/local/machine/keep-worker.ts';

const away = (): DavitError => new DavitError('engine/unreachable', 'The engine is away.');

/** Behaves as the list says, one entry per start; after the last one runs until the signal. */
function scripted(starts: (Error | 'ends')[]): KeptWorker & { started: number } {
  return {
    name: 'worker',
    started: 0,
    async run({ signal, onReady }) {
      const next = starts[this.started];
      this.started += 1;
      if (next === 'ends') return;
      if (next) throw next;
      onReady();
      if (!signal.aborted)
        await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    },
  };
}

test('a failed worker is restarted until it runs, and stops on the signal', async () => {
  const stop = new AbortController();
  const worker = scripted([away(), away(), away(), away(), 'ends']);
  const failures: unknown[] = [];
  await keepWorker(worker, {
    signal: stop.signal,
    onReady: () => stop.abort(),
    onFailure: (_, error) => failures.push(error),
    pauseMs: 1,
  });
  expect(worker.started).toBe(6);
  expect(failures).toHaveLength(5);
});

test('three uncoded failures in a row end the whole process', async () => {
  const worker = scripted([new Error('held'), away(), new Error('held'), 'ends', new Error('last')]);
  const options = {
    signal: new AbortController().signal,
    onReady: () => undefined,
    onFailure: () => undefined,
    pauseMs: 1,
  };
  await expect(keepWorker(worker, options)).rejects.toThrow('last');
  expect(worker.started).toBe(5);
});

test('nothing is started after the signal', async () => {
  const stop = new AbortController();
  const worker = scripted([away()]);
  const kept = keepWorker(worker, {
    signal: stop.signal,
    onReady: () => undefined,
    onFailure: () => stop.abort(),
    pauseMs: 60_000,
  });
  await kept;
  expect(worker.started).toBe(1);
});
