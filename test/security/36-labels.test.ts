/** Row 36: the label of an image does not say which caches a job writes. Trial C. */
import { expect, test } from 'vitest';
import { CACHE_LABEL, findCaches } from '../../activities/job/cache/cache.ts';
import { readPushPlan } from '../../activities/job/cache/cache-keys.ts';

const found = (spec: object) =>
  findCaches({ spec: { project: 'alpha', protectedRef: false, ...spec }, deps: {} } as never, new Map());

test('a job that writes no cache says so on its container, where its image could say something else', async () => {
  for (const spec of [
    {},
    { fork: true, caches: [{ key: 'k', paths: ['a'], policy: 'push', when: 'always', fallbackKeys: [] }] },
  ])
    expect(readPushPlan((await found(spec)).labels[CACHE_LABEL])).toEqual([]);
  expect((await found({})).labels).toHaveProperty([CACHE_LABEL]);
});
