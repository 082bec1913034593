/** What `davit disk` shows of an engine comes from its worker. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { diskText } from '../../src/cli/view/disk-view.ts';
import { eventually } from '../support/davit.ts';
import { SmallDavit } from '../support/small-davit.ts';

let davit: SmallDavit;
beforeAll(async () => {
  davit = await SmallDavit.start();
});
afterAll(() => davit.close());

test('a worker reports the build cache of its engine, and its bound', async () => {
  // Far above what it has: others build on this engine, too.
  await davit.worker('amd64', 'build_cache_bytes: 900000000000000\n');
  const found = await eventually('a report with the build cache', 90_000, async () => {
    const workers = await davit.client.workers();
    return workers[0]?.buildCache ? { workers, cache: workers[0].buildCache } : undefined;
  });
  expect(found.cache.maxBytes).toBe(900_000_000_000_000);
  const usage = { projects: [], rest: 0 };
  const text = diskText({ usage, images: 'None.', workers: found.workers, removable: 0 }, false);
  expect(text).toMatch(/^Build cache of .+: .+ of it unused; at most 900 TB\.$/m);
});
