/** Images of pipelines that ended long ago are removed from a real registry, and nothing that is needed. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { pipelineRecordName } from '../../src/plan/model/records.ts';
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
  ] as const) {
    const record = await world.server.stores.blobs.putBytes(Buffer.from('{}'));
    const summary = { id: `table/${iid}`, endedAt: now - days * DAY };
    await world.server.stores.records.put(pipelineRecordName(`table/${iid}`), { record, summary });
  }
});
afterAll(() => world.close());

const collect = (dryRun: boolean) => {
  const { deps } = world.server;
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

test('a registry that is away is said to be, and keeps no blob', async () => {
  await world.registry.pause();
  expect(await collect(false)).toMatchObject({ imagesProblem: expect.stringContaining('does not respond') });
  await world.registry.resume();
});
