/** Images of pipelines that ended long ago are removed from a real registry, and nothing that is needed. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { deployRecordName, pipelineRecordName } from '../../src/plan/model/records.ts';
import { sha256 } from '../../src/utils/sha256.ts';
import { DavitError } from '../../src/errors.ts';
import { collectOnce } from '../../src/server/collection.ts';
import { ownRegistryWorld, type OwnRegistryWorld } from '../support/own-registry.ts';
import { Pusher } from '../support/registry-images.ts';
import { pipeline } from '../support/server.ts';

const DAY = 24 * 3_600_000;
const now = Date.now();
const BUILT = 'table/pipelines/protected';
let world: OwnRegistryWorld;
let push: Pusher;
beforeAll(async () => {
  world = await ownRegistryWorld({ projects: [{ name: 'table' }] });
  push = new Pusher(world);
  for (const [iid, days] of [
    [1, 40],
    [2, 40],
    [3, 2],
    [4, 40],
  ] as const)
    await ended(iid, days);
});
afterAll(() => world.close());
afterEach(() => {
  world.server.workflows.environments = [];
  world.server.workflows.open.clear();
  world.server.workflows.closed.clear();
});

async function ended(iid: number, days: number, more: object = {}): Promise<void> {
  const record = await world.server.stores.blobs.putBytes(Buffer.from(JSON.stringify({ iid })));
  const of = { number: iid, project: 'table', ref: 'main', sha: 'a', source: 'push', state: 'failed' };
  const summary = { ...of, id: `table/${iid}`, endedAt: now - days * DAY, ...more };
  await world.server.stores.records.put(pipelineRecordName(`table/${iid}`), { record, summary });
}
const collect = (dryRun: boolean, deps = world.server.deps) => {
  const facts = deps.facts();
  const limits = { ...facts.config.limits, image_age: 30 * DAY };
  return collectOnce(
    { ...deps, facts: () => ({ ...facts, config: { ...facts.config, limits } }) },
    dryRun,
    now,
  );
};
const left = async (repository: string, tags: readonly string[]): Promise<string[]> => {
  const found = [];
  for (const tag of tags) if (await push.has(repository, tag)) found.push(tag);
  return found;
};

test('only images of old pipelines go: what a younger one, an index, a target or a person names stays', async () => {
  const shared = await push.image(BUILT, 'davit-2-shared-amd64', ['shared']);
  await push.image(BUILT, 'davit-3-shared-amd64', ['shared']);
  const part = await push.image(BUILT, 'davit-4-part-amd64', ['part']);
  await push.index(BUILT, 'release', [part]);
  await push.image(BUILT, 'davit-1-unit-amd64', ['old']);
  await push.image(BUILT, 'davit-3-unit-amd64', ['young']);
  await push.image(BUILT, 'davit-99-unit-amd64', ['of no record']);
  await push.image('forks/table', 'davit-1-unit-amd64', ['fork']);
  for (const kept of ['table', 'table/api', 'table/cache/protected'])
    await push.image(kept, 'davit-1-unit-amd64', ['old']);
  await push.image(`${BUILT}/web`, 'davit-1-web-amd64', ['deployed']);
  const target = { project: 'table', target: 'prod', repository: `${BUILT}/web` };
  await world.server.deps.deployTokens.current(target);

  expect((await collectOnce(world.server.deps, false, now)).images).toBeUndefined();
  expect((await collect(true)).images).toBe(2);
  expect(await push.has(BUILT, 'davit-1-unit-amd64')).toBe(true);
  world.server.workflows.open.set('table/7', pipeline('table/7', { startedAt: now }));
  expect((await collect(false)).images).toBe(0);
  world.server.workflows.open.clear();
  expect((await collect(false)).images).toBe(2);

  const tags = ['davit-1-unit-amd64', 'davit-2-shared-amd64', 'davit-3-shared-amd64', 'davit-4-part-amd64'];
  const others = ['release', 'davit-3-unit-amd64', 'davit-99-unit-amd64'];
  expect(await left(BUILT, [...tags, ...others])).toEqual([...tags.slice(1), ...others]);
  expect(await push.has(BUILT, shared.digest)).toBe(true);
  expect(await push.has('forks/table', 'davit-1-unit-amd64')).toBe(false);
  for (const kept of ['table', 'table/api', 'table/cache/protected'])
    expect(await push.has(kept, 'davit-1-unit-amd64'), kept).toBe(true);
  expect(await push.has(`${BUILT}/web`, 'davit-1-web-amd64')).toBe(true);
  expect((await collect(false)).images).toBe(0);
});

test('what davit starts again by itself, or a target runs, keeps its images', async () => {
  await ended(11, 40, { state: 'success' });
  await ended(12, 50, { state: 'success', ref: 'gone' });
  await ended(13, 60);
  await ended(14, 60);
  await ended(15, 60, { state: 'success', number: 1 });
  for (const iid of [11, 12, 13, 14, 15]) await push.image(BUILT, `davit-${iid}-app-amd64`, [`app ${iid}`]);
  await push.image('table/pipelines/branches', 'davit-12-app-amd64', ['app of a branch']);
  const run = await push.image(BUILT, 'davit-14-app-amd64', ['app 14']);
  // A target without a token of its own, or one whose token was revoked.
  await world.server.stores.records.put(deployRecordName('prod', sha256('table/14/deploy/1')), {
    deployId: 'table/14/deploy/1',
    image: `${world.registry.host}/${BUILT}@${run.digest}`,
    appliedAt: now - 60 * DAY,
  });
  const environment = { name: 'review', job: 'deploy', onStop: 'stop', since: now - 60 * DAY } as const;
  world.server.workflows.environments = [{ ...environment, pipeline: 'table/13', state: 'available' }];
  expect((await collect(false)).images).toBe(2);
  const tags = [11, 12, 13, 14, 15].map((iid) => `davit-${iid}-app-amd64`);
  expect(await left(BUILT, tags)).toEqual(tags.slice(0, 4));
  expect(await push.has('table/pipelines/branches', 'davit-12-app-amd64')).toBe(false);
  world.server.workflows.environments = [{ ...environment, pipeline: 'table/13', state: 'stopped' }];
  expect((await collect(false)).images).toBe(1);
  expect(await left(BUILT, tags)).toEqual([tags[0], tags[1], tags[3]]);
});

test('a run that began and ended after the tags were read keeps what it pushed', async () => {
  await ended(21, 40);
  await ended(22, 40);
  for (const iid of [21, 22]) await push.image(BUILT, `davit-${iid}-quick-amd64`, [`quick ${iid}`]);
  const { deps, workflows } = world.server;
  if (!deps.images) throw new Error('a registry was expected');
  const { images } = deps;
  const racing = {
    ...images,
    async tags(name: string) {
      const read = await images.tags(name);
      if (name !== BUILT) return read;
      // A retry of an old pipeline builds what another old one has built.
      await push.image(BUILT, 'davit-22-quick-amd64', ['quick 21']);
      workflows.closed.set('table/22', pipeline('table/22', { startedAt: now }));
      return read;
    },
  };
  expect((await collect(false, { ...deps, images: racing })).images).toBe(0);
  expect(await push.has(BUILT, 'davit-22-quick-amd64')).toBe(true);
});

test('an answer that is unknown keeps what it may name', async () => {
  await ended(31, 40);
  const part = await push.image(BUILT, 'davit-31-part-amd64', ['part 31']);
  await push.index(BUILT, 'davit-3-all', [part]);
  const { deps } = world.server;
  if (!deps.images) throw new Error('a registry was expected');
  const { images } = deps;
  const broken = {
    ...images,
    tags: async (name: string) =>
      (await images.tags(name)).map((one) => (one.tag === 'davit-3-all' ? { tag: one.tag, lists: [] } : one)),
  };
  expect((await collect(false, { ...deps, images: broken })).images).toBe(0);
  expect(await left(BUILT, ['davit-31-part-amd64', 'davit-3-all'])).toHaveLength(2);
  const failing = {
    ...images,
    remove: () => Promise.reject(new DavitError('registry/unreachable', 'It is away.')),
  };
  await push.image(BUILT, 'davit-31-more-amd64', ['more 31']);
  expect(await collect(false, { ...deps, images: failing })).toMatchObject({ imagesProblem: 'It is away.' });
  expect((await collect(false)).images).toBeGreaterThan(0);
  expect(await left(BUILT, ['davit-31-more-amd64', 'davit-31-part-amd64', 'davit-3-all'])).toEqual([
    'davit-31-part-amd64',
    'davit-3-all',
  ]);
});

test('a registry that is away is said to be, and keeps no blob', async () => {
  await world.registry.pause();
  expect(await collect(false)).toMatchObject({ imagesProblem: expect.stringContaining('does not respond') });
  await world.registry.resume();
});
