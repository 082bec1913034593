/** The build cache of an engine, as a worker measures and bounds it. */
import { expect, test, vi } from 'vitest';
import { BODIES } from '../../../src/adapters/http/wire.ts';
import { watchBuildCache } from '../../../workers/parts/build-cache.ts';

/** An engine that keeps what it is told to keep, and one build's part that nothing removes. */
function engineWith(bytes: number, used = 0) {
  const engine = {
    bytes,
    pruned: [] as (number | undefined)[],
    buildCache: async () => ({ bytes: engine.bytes, unusedBytes: engine.bytes - used }),
    pruneBuildCache: async (keep?: number) => {
      engine.pruned.push(keep);
      const before = engine.bytes;
      engine.bytes = Math.max(used, Math.min(before, keep ?? 0));
      return before - engine.bytes;
    },
  };
  return engine;
}
const trouble = (error: unknown): void => {
  throw error;
};

test('the server takes it from the report of a worker', () => {
  const none = { arches: [], emulated: [], tags: [], targets: [], deviceTags: [] };
  const worker = { id: 'w', hostId: 'h', hostName: 'n', slots: 1, version: '1', ...none };
  const buildCache = { bytes: 9, unusedBytes: 4, maxBytes: 10 };
  expect(BODIES.report.parse({ ...worker, buildCache })).toEqual({ ...worker, buildCache });
  expect(BODIES.report.parse(worker)).toEqual(worker);
});
test('without a bound it is measured, and nothing is removed', async () => {
  const engine = engineWith(900);
  const watch = watchBuildCache({ engine, trouble, everyMs: 1 });
  await vi.waitFor(() => expect(watch.report()).toEqual({ bytes: 900, unusedBytes: 900 }));
  await watch.stop();
  expect(engine.pruned).toEqual([]);
});
test('above its bound what was used longest ago is removed, and what a build uses stays', async () => {
  const engine = engineWith(900, 600);
  const watch = watchBuildCache({ engine, trouble, maxBytes: 500 });
  await vi.waitFor(() => expect(watch.report()).toEqual({ bytes: 600, unusedBytes: 0, maxBytes: 500 }));
  await watch.stop();
  expect(engine.pruned).toEqual([500]);
});
test('below its bound nothing is removed', async () => {
  const engine = engineWith(400);
  const watch = watchBuildCache({ engine, trouble, maxBytes: 500, everyMs: 1 });
  await vi.waitFor(() => expect(watch.report()).toEqual({ bytes: 400, unusedBytes: 400, maxBytes: 500 }));
  await watch.stop();
  expect(engine.pruned).toEqual([]);
});
test('an engine that fails is asked again', async () => {
  const engine = engineWith(100);
  const { buildCache } = engine;
  let fails = 2;
  engine.buildCache = async () => {
    fails -= 1;
    if (fails >= 0) throw new Error('away');
    return buildCache();
  };
  const seen: unknown[] = [];
  const watch = watchBuildCache({ engine, trouble: (error) => seen.push(error), everyMs: 1 });
  await vi.waitFor(() => expect(watch.report()?.bytes).toBe(100));
  await watch.stop();
  expect(seen).toHaveLength(2);
});
test('an engine that does not tell is not reported', async () => {
  const asked = vi.fn(async () => undefined);
  const watch = watchBuildCache({
    engine: { ...engineWith(1), buildCache: asked },
    trouble,
    maxBytes: 1,
    everyMs: 1,
  });
  await vi.waitFor(() => expect(asked.mock.calls.length).toBeGreaterThan(1));
  await watch.stop();
  expect(watch.report()).toBeUndefined();
});
