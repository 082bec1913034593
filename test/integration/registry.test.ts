import { createServer, request as forward } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { dockerEngine } from '../../src/adapters/docker/index.ts';
import type { Engine } from '../../src/adapters/ports.ts';
import { registryClient } from '../../src/adapters/registry/index.ts';
import type { Digest } from '../../src/plan/model/ids.ts';
import { HELPER_IMAGE, MAIN_ENGINE } from '../support/engine.ts';
import { REGISTRY_USER, startRegistry, type TestRegistry } from '../support/registry.ts';

let engine: Engine;
let open: TestRegistry;
let closed: TestRegistry;
const tags: string[] = [];
const signal = AbortSignal.timeout(120_000);
const NOWHERE: Digest = `sha256:${'0'.repeat(64)}`;

beforeAll(async () => {
  engine = await dockerEngine({ address: MAIN_ENGINE, registryPatience: { pullMs: 0, pushMs: 0 } });
  [open, closed] = await Promise.all([startRegistry(), startRegistry({ auth: true })]);
});
afterAll(async () => {
  for (const tag of tags) await engine.removeImage(tag);
  await Promise.all([open.stop(), closed.stop()]);
});

async function push(host: string, name: string, auth?: typeof REGISTRY_USER) {
  const tag = `${host}/${name}`;
  await engine.tagImage(HELPER_IMAGE, tag);
  tags.push(tag);
  let log = '';
  const pushed = await engine.push(tag, { auth, signal, onLog: (text) => (log += text) });
  return { ...pushed, log };
}

describe('an image', () => {
  test('that is pushed is in the registry under the digest that the push reported', async () => {
    const { digest, sizeBytes, log } = await push(open.host, 'team/app:1');
    const registry = registryClient({ host: open.host, insecure: false });
    await registry.ping();
    expect(await registry.manifest('team/app', '1')).toEqual({
      digest,
      sizeBytes,
      // The containerd store pushes OCI's.
      mediaType: expect.stringMatching(
        /^application\/vnd\.(?:docker\.distribution\.manifest\.v2|oci\.image\.manifest\.v1)\+json$/,
      ),
    });
    expect(await registry.manifest('team/app', digest)).toMatchObject({ digest });
    expect(await registry.manifest('team/app', 'nothing')).toBeUndefined();
    expect(await registry.manifest('team/nobody', '1')).toBeUndefined();
    expect(await registry.index('team/app', '1')).toBeUndefined();
    expect(await registry.imageSize('team/app', digest)).toBeGreaterThan(500_000);
    expect(log).toContain('Pushed');
  });

  test('that is in the registry is pulled, by tag and by digest, and removed', async () => {
    const { digest } = await push(open.host, 'team/pulled:1');
    for (const name of [`${open.host}/team/pulled:1`, `${open.host}/team/pulled@${digest}`]) {
      await engine.removeImage(`${open.host}/team/pulled:1`);
      const image = await engine.pullImage(name, { platform: 'linux/amd64' });
      expect(image.repoDigests).toContain(`${open.host}/team/pulled@${digest}`);
      await engine.removeImage(name);
    }
    const absent = engine.pullImage(`${open.host}/team/pulled:2`, {});
    await expect(absent).rejects.toMatchObject({ code: 'engine/image-missing' });
  });
});

describe('a copy', () => {
  const platform = { os: 'linux', architecture: 'amd64' } as const;
  const copied = async (host: string, to: string): Promise<void> => {
    const { digest } = await push(closed.host, `team/${to}-source:1`, REGISTRY_USER);
    const registry = registryClient({ host, insecure: false, auth: REGISTRY_USER });
    for (let times = 0; times < 2; times += 1)
      await registry.copyImage(`team/${to}-source`, digest, `other/${to}`);
    expect(await registry.manifest(`other/${to}`, digest)).toMatchObject({ digest });
    await registry.putIndex(`other/${to}`, [{ digest, platform }], ['1'], {});
    const name = `${closed.host}/other/${to}:1`;
    await engine.pullImage(name, { auth: REGISTRY_USER });
    tags.push(name);
    const gone = registry.copyImage('team/nobody', digest, `other/${to}`);
    await expect(gone).rejects.toMatchObject({ code: 'registry/missing-manifest' });
  };

  test('to another repository is linked by the registry', () => copied(closed.host, 'linked'));

  test('goes through davit where the registry links nothing', async () => {
    const seen: string[] = [];
    // A registry without cross-repository mounts answers as to an ordinary upload.
    const proxy = createServer((request, response) => {
      seen.push(`${request.method} ${request.url}`);
      const path = (request.url ?? '').replace(/\?mount=.*$/, '');
      const [hostname = '', port] = closed.host.split(':');
      const { method, headers } = request;
      const onward = forward({ hostname, port, path, method, headers }, (reply) => {
        response.writeHead(reply.statusCode ?? 500, reply.headers);
        reply.pipe(response);
      });
      request.pipe(onward);
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    try {
      await copied(`127.0.0.1:${(proxy.address() as AddressInfo).port}`, 'carried');
      expect(
        seen.filter((one) => one.startsWith('PUT /v2/other/carried/blobs/uploads/')).length,
      ).toBeGreaterThan(1);
    } finally {
      proxy.closeAllConnections();
      proxy.close();
    }
  });
});

describe('an index', () => {
  const platform = { os: 'linux', architecture: 'amd64' } as const;

  test('is written by digest with the real sizes, then under each tag, and pulls as an image', async () => {
    const { digest, sizeBytes } = await push(open.host, 'team/multi:amd64');
    const registry = registryClient({ host: open.host, insecure: false });
    const entries = [
      { digest, platform },
      { digest, platform: { os: 'linux', architecture: 'arm', variant: 'v6' } as const },
    ];
    const index = await registry.putIndex('team/multi', entries, ['1.0', 'latest'], { 'org.a': 'b' });
    const mediaType = (await registry.manifest('team/multi', digest))?.mediaType;
    const expected = { digest: index, entries: entries.map((entry) => ({ ...entry, sizeBytes, mediaType })) };
    for (const reference of [index, '1.0', 'latest'])
      expect(await registry.index('team/multi', reference)).toEqual(expected);
    expect(await registry.putIndex('team/multi', entries, [], { 'org.a': 'b' })).toBe(index);
    const image = await engine.pullImage(`${open.host}/team/multi@${index}`, {});
    expect(image.platform.architecture).toBe('amd64');
    await engine.removeImage(`${open.host}/team/multi@${index}`);
    await registry.deleteManifest('team/multi', index);
    await registry.deleteManifest('team/multi', index);
    expect(await registry.index('team/multi', 'latest')).toBeUndefined();
  });

  test('with an entry of another repository is refused before anything is written', async () => {
    const { digest } = await push(open.host, 'team/here:1');
    const registry = registryClient({ host: open.host, insecure: false });
    const entries = [digest, NOWHERE].map((one) => ({ digest: one, platform }));
    await expect(registry.putIndex('team/here', entries, ['x'], {})).rejects.toMatchObject({
      code: 'registry/missing-manifest',
    });
    expect(await registry.manifest('team/here', 'x')).toBeUndefined();
  });
});

describe('credentials', () => {
  test('that are valid work for push, pull and index', async () => {
    const { digest } = await push(closed.host, 'team/app:1', REGISTRY_USER);
    const registry = registryClient({ host: closed.host, insecure: false, auth: REGISTRY_USER });
    await registry.ping();
    const platform = { os: 'linux', architecture: 'amd64' } as const;
    await registry.putIndex('team/app', [{ digest, platform }], ['latest'], {});
    await engine.removeImage(`${closed.host}/team/app:1`);
    await engine.pullImage(`${closed.host}/team/app:1`, { auth: REGISTRY_USER });
  });

  test.each([
    ['missing', undefined],
    ['wrong', { username: 'davit', password: 'canary-falsch' }],
  ])('that are %s are registry/denied, naming the missing part, without the password', async (_, auth) => {
    const registry = registryClient({ host: closed.host, insecure: false, auth });
    const refused = { code: 'registry/denied', message: expect.not.stringContaining('canary') };
    await expect(registry.ping()).rejects.toMatchObject(refused);
    await expect(registry.manifest('team/app', '1')).rejects.toMatchObject({
      ...refused,
      message: expect.stringContaining('repository:team/app:pull'),
    });
    await expect(push(closed.host, 'team/app:2', auth)).rejects.toMatchObject({
      code: 'registry/denied',
      message: expect.stringMatching(/repository:team\/app:pull,push(?!.*canary)/s),
    });
    await expect(engine.pullImage(`${closed.host}/team/none:1`, { auth })).rejects.toMatchObject({
      code: 'engine/image-denied',
      message: expect.not.stringContaining('canary'),
    });
  });
});

test('an unreachable registry is registry/unreachable, and is waited for', async () => {
  const registry = registryClient({ host: open.host, insecure: false });
  const hasty = registryClient({ host: open.host, insecure: false, patienceMs: 0 });
  const patient = await dockerEngine({ address: MAIN_ENGINE });
  await push(open.host, 'team/away:1');
  await open.pause();
  await expect(hasty.manifest('team/away', '1')).rejects.toMatchObject({ code: 'registry/unreachable' });
  await expect(registry.ping()).rejects.toMatchObject({ code: 'registry/unreachable' });
  await expect(engine.pullImage(`${open.host}/team/away:1`, {})).rejects.toMatchObject({
    code: 'registry/unreachable',
  });
  const tries: string[] = [];
  const waiting = registry.manifest('team/away', '1');
  let back: Promise<void> | undefined;
  const comesBack = (text: string): void => {
    tries.push(text);
    back ??= open.resume();
  };
  await patient.pullImage(`${open.host}/team/away:1`, { onLog: comesBack, signal });
  await back;
  expect(await waiting).toMatchObject({ sizeBytes: expect.any(Number) });
  expect(tries[0]).toContain('Trying again');
});
