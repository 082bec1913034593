/** What `davit disk` says of images: from a real registry, with the server's own tokens. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ShownImages } from '../../src/adapters/ports.ts';
import { RegistryHttp } from '../../src/adapters/registry/http.ts';
import { repositoriesOf } from '../../src/adapters/registry/usage.ts';
import { ownRegistryWorld, type OwnRegistryWorld } from '../support/own-registry.ts';
import { Pusher } from '../support/registry-images.ts';
import { bearer, TOKENS } from '../support/server.ts';

let world: OwnRegistryWorld;
let push: Pusher;
beforeAll(async () => {
  world = await ownRegistryWorld({ projects: [{ name: 'alpha' }, { name: 'beta' }] });
  push = new Pusher(world);
});
afterAll(() => world.close());

const usage = async (token: string = TOKENS.operator) => {
  const answer = await world.server.app.inject({ url: '/api/v1/usage/images', headers: bearer(token) });
  return { status: answer.statusCode, shown: answer.json<ShownImages>() };
};
const layer = (name: string, bytes: number): string => name.repeat(bytes).slice(0, bytes);
const BASE = layer('b', 5_000);

test('an empty registry has nothing', async () => {
  expect((await usage()).shown).toEqual({
    own: { registry: world.registry.host, projects: [], total: 0, complete: true },
    others: [],
  });
});

test('layers count once in each project, by what they are for, and once in all', async () => {
  const one = await push.image('alpha/api', '1', [BASE, layer('x', 700)]);
  const two = await push.image('alpha/api', undefined, [BASE, layer('y', 300)]);
  const both = await push.index('alpha/api', 'both', [one, two]);
  const built = await push.image('alpha/pipelines/protected/api', 'davit-1-build', [BASE, layer('x', 700)]);
  const kept = await push.image('alpha/cache/branches/api', 'cache-amd64', [layer('z', 90)]);
  const forked = await push.image('forks/beta', 'davit-7-build', [BASE]);
  const { own } = (await usage()).shown;
  const config = 2;
  const [alpha, beta] = own?.projects ?? [];
  const images = BASE.length + 700 + 300 + config + one.bytes + two.bytes + both.bytes;
  expect(alpha).toEqual({
    project: 'alpha',
    images,
    // The same image in another repository is the same layers and the same manifest.
    pipelines: BASE.length + 700 + config + built.bytes,
    caches: 90 + config + kept.bytes,
    bytes: images + 90 + kept.bytes,
  });
  expect(built.digest).toBe(one.digest);
  expect(beta).toEqual({
    project: 'beta',
    images: 0,
    pipelines: BASE.length + config + forked.bytes,
    caches: 0,
    bytes: BASE.length + config + forked.bytes,
  });
  expect(own?.total).toBe((alpha?.bytes ?? 0) + forked.bytes);
});

test('the list of repositories is read page by page', async () => {
  for (let at = 0; at < 5; at += 1) await push.image(`many/r${at}`, '1', [layer(`${at}`, 100 + at)]);
  const { host } = world.registry;
  const { signer } = world.server.deps.ownRegistry ?? {};
  const everything = [{ type: 'registry', name: 'catalog', actions: ['*'] }];
  const sign = (): string => signer?.sign('test', everything).token ?? '';
  const all = await repositoriesOf(new RegistryHttp({ host, insecure: true, sign }), 100);
  expect(all).toEqual(expect.arrayContaining(['many/r0', 'many/r4', 'alpha/api']));
  for (const length of [1, 2, all.length])
    expect(await repositoriesOf(new RegistryHttp({ host, insecure: true, sign }), length)).toEqual(all);
});

test('only an operator asks, and a registry that is away is said to be', async () => {
  expect((await usage(TOKENS.developer)).status).toBe(403);
  await world.registry.pause();
  const { status, shown } = await usage();
  expect([status, JSON.stringify(shown)]).toEqual([503, expect.stringContaining('registry/unreachable')]);
  await world.registry.resume();
  expect((await usage()).status).toBe(200);
});
