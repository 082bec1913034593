/**
 * BuildKit's cache of a worker's engine: measured now and then, because the engine adds it up each time, and kept below
 * `build_cache_bytes` where the worker's file says so.
 *
 * BUILD-CACHE-1 Without that setting nothing is removed: the cache has no owner, and others may build on the engine.
 * BUILD-CACHE-2 What a build uses at the moment stays: BuildKit itself refuses to remove it.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Engine } from '../../src/adapters/ports.ts';
import type { BuildCacheReport } from '../../src/plan/model/queues.ts';

const EVERY_MS = 15 * 60_000;
const MEASURE_MS = 60_000;

export interface BuildCacheOptions {
  engine: Pick<Engine, 'buildCache' | 'pruneBuildCache'>;
  maxBytes?: number | undefined;
  /** Shorter in tests. */
  everyMs?: number;
  trouble(error: unknown): void;
}
export interface BuildCacheWatch {
  /** As it was measured last. */
  report(): BuildCacheReport | undefined;
  stop(): Promise<void>;
}

export function watchBuildCache({ engine, maxBytes, everyMs, trouble }: BuildCacheOptions): BuildCacheWatch {
  const over = new AbortController();
  let last: BuildCacheReport | undefined;
  const measure = () => engine.buildCache(AbortSignal.any([over.signal, AbortSignal.timeout(MEASURE_MS)]));
  const round = async (): Promise<void> => {
    let found = await measure();
    if (found && maxBytes !== undefined && found.bytes > maxBytes) {
      await engine.pruneBuildCache(maxBytes);
      found = await measure();
    }
    last = found && { ...found, ...(maxBytes !== undefined && { maxBytes }) };
  };
  const rounds = (async () => {
    while (!over.signal.aborted) {
      await round().catch((error: unknown) => {
        if (!over.signal.aborted) trouble(error); // the next round asks again
      });
      await delay(everyMs ?? EVERY_MS, undefined, { signal: over.signal, ref: false }).catch(() => undefined); // stopped
    }
  })();
  return {
    report: () => last,
    stop: async () => {
      over.abort();
      await rounds;
    },
  };
}
