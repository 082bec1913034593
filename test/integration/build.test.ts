/** buildImage and pushImage with the real engine, BuildKit under emulation, and a registry of its own. */
import { buffer } from 'node:stream/consumers';
import { MockActivityEnvironment } from '@temporalio/testing';
import { pack } from 'tar-stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeBuildImage } from '../../activities/image/build-image.ts';
import type { RunInput } from '../../activities/contract.ts';
import { makePushImage } from '../../activities/image/push-image.ts';
import type { Engine } from '../../src/adapters/ports.ts';
import { configuredRegistries } from '../../src/adapters/registry/configured.ts';
import { registryClient } from '../../src/adapters/registry/index.ts';
import { deriveSealKey, localSecrets } from '../../src/adapters/secrets/index.ts';
import { DavitError } from '../../src/errors.ts';
import type { Arch, Digest } from '../../src/plan/model/ids.ts';
import type { BuiltImage, JobResult } from '../../src/plan/model/outcome.ts';
import type { BuildSpec } from '../../src/plan/model/spec.ts';
import { HELPER_IMAGE, mainEngine } from '../support/engine.ts';
import { REGISTRY_USER, startRegistry, type TestRegistry } from '../support/registry.ts';
import {
  asActivity,
  common,
  json,
  memoryBlobs,
  memoryLogs,
  runInput,
  testFacts,
} from '../unit/activities/fakes.ts';

let engine: Engine;
let registry: TestRegistry;
let source: Digest;
const blobs = memoryBlobs();
const made: string[] = [];
/** Says what earlier builds have left in a cache mount, and adds itself. */
const MOUNT = `FROM ${HELPER_IMAGE}
ARG WHO
RUN --mount=type=cache,id=all,target=/c sh -c 'echo "found $(cat /c/who 2>/dev/null)"; echo "$WHO" >>/c/who'
`;
const secrets = localSecrets({
  sealKey: deriveSealKey('token of workers'),
  readEnv: (name) => (name === 'REGISTRY_PASSWORD' ? REGISTRY_USER.password : undefined),
});

beforeAll(async () => {
  engine = await mainEngine();
  registry = await startRegistry({ auth: true });
  const tar = pack();
  tar.entry({ name: 'app/Dockerfile' }, 'FROM scratch\nARG WHO\nCOPY . /\nLABEL who=$WHO\n');
  tar.entry({ name: 'app/.dockerignore' }, '*.secret\n');
  tar.entry({ name: 'app/hello.txt' }, 'hello');
  tar.entry({ name: 'app/a.secret' }, 'ignored');
  tar.entry({ name: 'mount/Dockerfile' }, MOUNT);
  tar.entry({ name: 'foreign/Dockerfile' }, 'FROM scratch\nCOPY --from=127.0.0.1:1/beta/x:1 / /\n');
  tar.entry(
    { name: 'mounted/Dockerfile' },
    'FROM scratch\nRUN --mount=type=bind,from=127.0.0.1:1/beta/x:1,target=/x true\n',
  );
  tar.entry({ name: 'hidden/Dockerfile' }, 'ARG A=127.0.0.1:1\nFROM ${NONE:-$A/beta/x}:1\n');
  tar.entry({ name: 'syntax/Dockerfile' }, '# syntax=evil.test/frontend\nFROM scratch\n');
  tar.entry({ name: 'broken/Dockerfile' }, 'FROM scratch\nCOPY missing /\n');
  tar.finalize();
  source = await blobs.putBytes(await buffer(tar));
});
afterAll(async () => {
  for (const tag of made) await engine.removeImage(tag).catch(() => undefined);
  await engine.close();
  await registry.stop();
});

const repository = (name = 'table') => `${registry.host}/${name}`;
function deps(logs = memoryLogs(), password = 'env:REGISTRY_PASSWORD') {
  const facts = testFacts({
    registries: [{ host: registry.host, username: REGISTRY_USER.username, password, default: true }],
  });
  const registries = configuredRegistries(facts.config.registries, secrets);
  return {
    blobs,
    logs,
    secrets,
    facts,
    registries,
    engine,
    host: 'h1',
    hostName: 'bench',
    tags: ['big'],
    variant: 'v6' as const,
    frontends: ['docker/dockerfile:*'],
    egressProblem: async () => undefined,
    now: Date.now,
    freeDiskSpace: async () => ({ runs: 0, images: [], cacheBytes: 0 }),
  };
}
async function input(arch: Arch, more: Partial<BuildSpec> = {}): Promise<RunInput> {
  const spec = {
    ...common,
    source,
    key: `build: [${arch}]`,
    kind: 'build',
    arch,
    context: 'app',
    dockerfile: 'Dockerfile',
    args: { WHO: 'me' },
    repository: repository(),
    tag: `davit-7-build-${arch}`,
    cacheFrom: 'registry',
    labels: { 'org.opencontainers.image.revision': common.sha },
    ...more,
  };
  made.push(`${spec.repository}:cache-${arch}`, `${spec.repository}:${spec.tag}`);
  const ref = { pipeline: 'table/7', job: spec.key, jobId: 1, attempt: 1, epoch: 1 } as const;
  return runInput(await blobs.putBytes(json(spec)), { kind: 'build', ref });
}
const build = (of: RunInput, with_ = deps()): Promise<JobResult> =>
  new MockActivityEnvironment().run(makeBuildImage(with_), of);
const imageOf = (result: JobResult): BuiltImage => {
  if (!result.image) throw new Error(JSON.stringify(result));
  return result.image;
};

describe('three architectures', () => {
  const images: { job: string; image: BuiltImage }[] = [];

  test('are built and pushed by digest, each with its own cache tag', async () => {
    const logs = memoryLogs();
    for (const arch of ['arm32', 'arm64', 'amd64'] as const) {
      const of = await input(arch);
      const result = await build(of, deps(arch === 'arm32' ? logs : memoryLogs()));
      images.push({ job: of.ref.job, image: imageOf(result) });
      expect(result).toMatchObject({ outcome: 'succeeded', host: 'h1', warnings: [] });
      expect(result.log?.bytes).toBeGreaterThan(0);
    }
    expect(images.map(({ image }) => image.platform)).toEqual([
      { os: 'linux', architecture: 'arm', variant: 'v6' },
      { os: 'linux', architecture: 'arm64', variant: 'v8' },
      { os: 'linux', architecture: 'amd64' },
    ]);
    expect(new Set(images.map(({ image }) => image.digest)).size).toBe(3);
    expect(logs.text()).toContain(images[0]?.image.digest);
    const client = registryClient({ host: registry.host, insecure: true, auth: REGISTRY_USER });
    for (const { image } of images) {
      const arch = image.platform.architecture === 'arm' ? 'arm32' : image.platform.architecture;
      const cached = await client.manifest('table', `cache-${arch}`);
      expect(cached?.digest).toBe(image.digest);
    }
  });

  test('leave one image of each on the engine, and none contains an ignored file', async () => {
    expect(await engine.inspectImage(`${repository()}:davit-7-build-amd64`)).toBeUndefined();
    const kept = await engine.inspectImage(`${repository()}:cache-amd64`);
    const { kind } = await engine.info();
    // Podman identifies a built image by a digest of its own, not by that of the push.
    const first = kind === 'podman' ? kept?.id : `${repository()}@${images[2]?.image.digest}`;
    if (kind === 'docker') expect(kept?.repoDigests).toEqual([first]);
    const again = await input('amd64', { args: { WHO: 'you' }, tag: 'davit-8-build-amd64' });
    const next = imageOf(await build(again));
    expect(next.digest).not.toBe(images[2]?.image.digest);
    expect(await engine.inspectImage(first ?? '')).toBeUndefined();
    const name = `davit-test-build-${process.pid}`;
    await engine.createContainer({
      name,
      image: kind === 'podman' ? `${repository()}:cache-amd64` : `${repository()}@${next.digest}`,
      labels: {},
      command: ['x'],
      volumes: [],
      logMaxBytes: 1024 * 1024,
    });
    try {
      expect(await engine.download(name, '/hello.txt')).toBeDefined();
      expect(await engine.download(name, '/a.secret')).toBeUndefined();
    } finally {
      await engine.removeContainer(name);
    }
  });

  test('have each tag on one index, arm with its variant', async () => {
    const from = images.map(({ job }) => job);
    const spec = { ...common, kind: 'push', repository: repository(), tags: ['1.4', 'latest'], from };
    const push = runInput(await blobs.putBytes(json(spec)), { images });
    const result = await asActivity(makePushImage(deps()), push);
    expect(result, JSON.stringify(result)).toMatchObject({ outcome: 'succeeded' });
    const client = registryClient({ host: registry.host, insecure: true, auth: REGISTRY_USER });
    for (const tag of ['1.4', 'latest']) {
      const index = await client.index('table', tag);
      expect(index?.digest).toBe(result.index?.digest);
      expect(index?.entries.map(({ digest, platform }) => ({ digest, platform }))).toEqual(
        images.map(({ image }) => ({ digest: image.digest, platform: image.platform })),
      );
    }
    const again = await asActivity(makePushImage(deps()), push);
    expect(again.index).toEqual(result.index);
  });
});

test('an image of its pipeline is copied to where it is pushed, whole', async () => {
  const [target, pipelines] = [repository('shop/api'), repository('shop/pipelines/protected/api')];
  const write = `${repository('shop/cache/protected/api')}:amd64`;
  const built = await build(
    await input('amd64', { repository: pipelines, cache: { read: [write], write }, cacheFrom: 'registry' }),
  );
  const image = imageOf(built);
  expect(image.repository).toBe(pipelines);
  expect(built.warnings).toEqual([]);
  const spec = { ...common, kind: 'push', repository: target, pipelines, tags: ['1'], from: ['b'] };
  const pushed = await asActivity(
    makePushImage(deps()),
    runInput(await blobs.putBytes(json(spec)), { images: [{ job: 'b', image }] }),
  );
  expect(pushed, JSON.stringify(pushed)).toMatchObject({
    outcome: 'succeeded',
    index: { repository: target },
  });
  const client = registryClient({ host: registry.host, insecure: true, auth: REGISTRY_USER });
  expect((await client.manifest('shop/cache/protected/api', 'amd64'))?.digest).toBe(image.digest);
  expect(await client.imageSize('shop/api', image.digest)).toBeGreaterThan(0);
  const name = `${target}@${pushed.index?.digest}`;
  made.push(name);
  expect(await engine.pullImage(name, { auth: REGISTRY_USER, platform: 'linux/amd64' })).toBeDefined();
  // The pipeline's own name stays, for the tests that run it here; the name of the cache does not.
  expect(await engine.inspectImage(`${pipelines}@${image.digest}`)).toBeDefined();
  expect(await engine.inspectImage(write)).toBeUndefined();
});

describe('a build', () => {
  test('finds the cache mounts of its project and of refs like its own alone', async () => {
    if ((await engine.info()).kind === 'podman') return;
    const [alpha, beta] = ['alpha', 'beta'].map((name) => `${name}${process.pid}${Date.now()}`);
    const found = async (who: string, more: Partial<BuildSpec>): Promise<string | undefined> => {
      const logs = memoryLogs();
      const of = {
        context: 'mount',
        args: { WHO: who, BUILDKIT_CACHE_MOUNT_NS: 'x' },
        repository: repository('mount'),
      };
      const result = await build(await input('amd64', { ...of, ...more }), deps(logs));
      expect(result, logs.text()).toMatchObject({ outcome: 'succeeded' });
      return /^#\d+ found ?(.*)$/m.exec(logs.text())?.[1];
    };
    expect(await found('a1', { project: alpha })).toBe('');
    expect(await found('a2', { project: alpha })).toBe('a1');
    expect(await found('b1', { project: beta })).toBe('');
    expect(await found('a3', { project: alpha, protectedRef: false })).toBe('');
    expect(await found('a4', { project: alpha })).toContain('a1');
  });
  test('of a fork is refused, and one that lacks objects of Git LFS, or names what it may not have', async () => {
    const fork = await build(await input('amd64', { fork: true, protectedRef: false }));
    expect(fork).toMatchObject({
      outcome: 'failed',
      kind: 'config',
      message: expect.stringContaining('fork'),
    });
    const syntax = { context: 'syntax', protectedRef: false };
    expect(await build(await input('amd64', syntax))).toMatchObject({
      outcome: 'failed',
      message: expect.stringContaining('evil.test/frontend'),
    });
    const lfs = { failure: 'Git LFS: it does not give the object.' };
    expect(await build(await input('amd64', { lfs }))).toMatchObject({
      outcome: 'failed',
      message: expect.stringContaining(lfs.failure),
    });
    const facts = testFacts({
      registries: [{ host: '127.0.0.1:1', default: true }],
      projects: [{ name: 'beta' }],
    });
    for (const context of ['foreign', 'mounted'])
      expect(await build(await input('amd64', { context }), { ...deps(), facts }), context).toMatchObject({
        outcome: expect.stringMatching('failed|errored'),
        message: expect.stringContaining('is of the project beta'),
      });
  });

  test('use no image of the engine by a name that only BuildKit can read: its registry is asked', async () => {
    const other = '127.0.0.1:1/beta/x:1';
    made.push(other);
    await engine.tagImage(HELPER_IMAGE, other);
    expect(
      await build(await input('amd64', { context: 'hidden', repository: repository('hidden') })),
    ).toMatchObject({
      outcome: expect.stringMatching('failed|errored'),
      message: expect.stringContaining('127.0.0.1:1'),
    });
  });
});

test('a failing Dockerfile is the user’s failure, and the failed step is named', async () => {
  const result = await build(await input('amd64', { context: 'broken', repository: repository('broken') }));
  expect(result).toMatchObject({ outcome: 'failed', kind: 'script' });
  expect(result.message).toContain('COPY missing');
});

test('a refused push names the missing scope and no password', async () => {
  const logs = memoryLogs();
  const result = await build(await input('amd64', { repository: repository('refused') }), {
    ...deps(logs),
    registries: configuredRegistries([], secrets),
  });
  expect(result).toMatchObject({ outcome: 'failed', kind: 'registry' });
  expect(result.message).toContain('repository:refused:pull,push');
  expect(JSON.stringify(result) + logs.text()).not.toContain(REGISTRY_USER.password);
  // No later build removes it: it would stay on the engine.
  expect(await engine.inspectImage(`${repository('refused')}:davit-7-build-amd64`)).toBeUndefined();
});

test('an unreachable registry that returns fails no build', async () => {
  const of = await input('amd64', { repository: repository('outage') });
  await registry.pause();
  const logs = memoryLogs();
  const running = build(of, deps(logs));
  await expect.poll(() => logs.text(), { timeout: 20_000 }).toContain('Trying again');
  await registry.resume();
  expect(await running).toMatchObject({ outcome: 'succeeded' });
});

test('a worker that lacks the tag or its engine, or that stops, requeues the build; a cancel ends it', async () => {
  const of = await input('amd64');
  await expect(build({ ...of, tags: ['amd64', 'gpu'] })).rejects.toMatchObject({ type: 'HandedBack' });
  const gone = (): Promise<never> => Promise.reject(new DavitError('engine/unreachable', 'No answer.'));
  const away = { ...deps(), engine: { ...deps().engine, build: gone } };
  await expect(build(of, away)).rejects.toMatchObject({ type: 'HandedBack' });
  const late = { ...of, ref: { ...of.ref, epoch: 12 } };
  expect(await build(late, away)).toMatchObject({ outcome: 'errored', kind: 'engine', started: false });
  const environment = new MockActivityEnvironment();
  environment.on('heartbeat', () => environment.cancel());
  await expect(environment.run(makeBuildImage(deps()), of)).rejects.toMatchObject({
    name: 'CancelledFailure',
  });
});
