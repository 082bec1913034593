import { Readable } from 'node:stream';
import { pack } from 'tar-stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { BuildRequest, Engine } from '../../src/adapters/ports.ts';
import { HELPER_IMAGE, mainEngine, testScope } from '../support/engine.ts';
import { REGISTRY_USER, startRegistry, type TestRegistry } from '../support/registry.ts';

let engine: Engine;
let scope: ReturnType<typeof testScope>;
let registry: TestRegistry;
/** It has no BuildKit: no numbered steps, no cache. */
let podman: boolean;
const tags = new Set<string>();

beforeAll(async () => {
  engine = await mainEngine();
  podman = (await engine.info()).kind === 'podman';
  scope = testScope(engine);
  registry = await startRegistry({ auth: true });
});
afterAll(async () => {
  for (const tag of tags) await engine.removeImage(tag);
  await registry.stop();
});

async function build(
  dockerfile: string,
  more: Partial<BuildRequest> = {},
  files: Record<string, string> = {},
) {
  const context = pack();
  for (const [name, text] of Object.entries({ Dockerfile: dockerfile, ...files }))
    context.entry({ name }, text);
  context.finalize();
  let log = '';
  const tag = more.tag ?? scope.name(`build-${tags.size}:1`);
  tags.add(tag);
  const request: BuildRequest = {
    context: Readable.from(context),
    dockerfile: 'Dockerfile',
    platform: 'linux/amd64',
    tag,
    args: {},
    labels: {},
    cacheFrom: [],
    pullBases: false,
    inlineCache: false,
    auth: {},
    signal: AbortSignal.timeout(120_000),
    onLog: (text) => (log += text),
    ...more,
  };
  try {
    return { tag, log: () => log, ...(await engine.build(request)) };
  } catch (error) {
    expect(error).toMatchObject({ name: 'DavitError' });
    throw error;
  }
}

describe('a build', () => {
  test('prints its steps and their output, and sets labels, arguments and target of the image', async () => {
    const dockerfile = `FROM ${HELPER_IMAGE} AS base\nARG WORD\nRUN echo "said $WORD"; echo ${scope.name('unique')} >&2\nFROM base AS other\nRUN false\n`;
    const more = {
      args: { WORD: 'a "b" ä' },
      labels: { 'org.opencontainers.image.revision': 'abc' },
      target: 'base',
    };
    const built = await build(dockerfile, more);
    expect(built.imageId).toMatch(/^sha256:/);
    expect(built.sizeBytes).toBeGreaterThan(1_000_000);
    expect(built.log()).toMatch(podman ? /^STEP \d+\/\d+: RUN echo/m : /^#\d+ \[base 2\/2\] RUN echo/m);
    expect(built.log()).toMatch(podman ? /^said a "b" ä\n/m : /^#(\d+) (?:[\d.]+ )?said a "b" ä\n/m);
    if (!podman) expect(built.log()).toMatch(/^#\d+ DONE \d+\.\ds$/m);
  });

  test('makes three platforms on one engine, each under its tag', async () => {
    const dockerfile = 'FROM scratch\nARG TARGETARCH\nCOPY Dockerfile /x\n';
    const platforms = ['linux/arm/v6', 'linux/arm64', 'linux/amd64'];
    const built = await Promise.all(
      platforms.map((platform) =>
        build(dockerfile, { platform, tag: scope.name(`multi:${platform.replaceAll('/', '-')}`) }),
      ),
    );
    const seen = await Promise.all(built.map(({ tag }) => engine.inspectImage(tag)));
    expect(seen.map((image) => image?.platform)).toEqual([
      // Podman does not report the variant.
      { os: 'linux', architecture: 'arm', ...(!podman && { variant: 'v6' }) },
      { os: 'linux', architecture: 'arm64', variant: 'v8' },
      { os: 'linux', architecture: 'amd64' },
    ]);
  });

  test('pulls its base image from a private registry with the credentials of that registry', async () => {
    const base = `${registry.host}/private/base:1`;
    await engine.tagImage(HELPER_IMAGE, base);
    await engine.push(base, { auth: REGISTRY_USER, signal: AbortSignal.timeout(60_000), onLog: () => {} });
    await engine.removeImage(base);
    const auth = { [registry.host]: REGISTRY_USER, 'other.example': { username: 'x', password: 'y' } };
    const dockerfile = `FROM ${base}\nRUN sleep 3; echo through\n`;
    expect((await build(dockerfile, { auth })).log()).toContain('through');
    await engine.removeImage(base);
    const foreign = { 'other.example': REGISTRY_USER };
    await expect(build(`FROM ${base}\nRUN echo again\n`, { auth: foreign })).rejects.toMatchObject({
      code: 'engine/image-denied',
    });
  });

  test('uses the inline cache of an image, and works without a missing one', async (context) => {
    context.skip(podman, 'Podman has no inline cache');
    const auth = { [registry.host]: REGISTRY_USER };
    const tag = `${registry.host}/private/cached:1`;
    const dockerfile = `FROM ${HELPER_IMAGE}\nRUN echo ${scope.name('cache')} > /x\n`;
    const first = await build(dockerfile, {
      tag,
      auth,
      pullBases: false,
      inlineCache: true,
      cacheFrom: [`${registry.host}/private/none:1`],
    });
    expect(first.log()).not.toContain('CACHED');
    await engine.push(tag, { auth: REGISTRY_USER, signal: AbortSignal.timeout(60_000), onLog: () => {} });
    const second = await build(dockerfile, { auth, cacheFrom: [tag] });
    expect(second.log()).toContain('CACHED');
  });
});

test('its cache is measured and bounded by the engine, or the engine does not tell', async () => {
  await build('FROM scratch\nCOPY Dockerfile /\n');
  const before = await engine.buildCache(AbortSignal.timeout(60_000));
  if (podman) return expect(before).toBeUndefined();
  expect(before?.bytes).toBeGreaterThan(0);
  expect(before?.unusedBytes).toBeLessThanOrEqual(before?.bytes ?? 0);
  // Far above what it has: others build on this engine, too.
  expect(await engine.pruneBuildCache(Number.MAX_SAFE_INTEGER)).toBe(0);
});

describe('a failed build', () => {
  test('works without secrets and keys that are optional, and without any credentials', async (context) => {
    context.skip(podman, 'has no session');
    const secret = '--mount=type=secret,id=token';
    const optional = `FROM ${HELPER_IMAGE}\nRUN ${secret} --mount=type=ssh cat /run/secrets/token 2>/dev/null || echo none`;
    expect((await build(optional)).log()).toContain('none');
    const required = `FROM ${HELPER_IMAGE}\nRUN ${secret},required=true cat /run/secrets/token`;
    await expect(build(required)).rejects.toMatchObject({
      code: 'engine/build-failed',
      message: expect.stringMatching(/secret token/),
    });
  });

  test('names the step and its last lines', async () => {
    const failed = build(`FROM ${HELPER_IMAGE}\nRUN echo before; echo the reason >&2; exit 3\n`);
    await expect(failed).rejects.toMatchObject({
      code: 'engine/build-failed',
      message: expect.stringMatching(
        podman
          ? /exit status 3.*Step: RUN echo before.*\| the reason/s
          : /exit code: 3.*\[2\/2\] RUN echo before.*\| .*the reason/s,
      ),
    });
  });

  test.each<[string, string | (() => string), string, Partial<BuildRequest>?]>([
    ['an unknown instruction', 'FROM scratch\nFOO bar\n', 'engine/build-failed'],
    ['a file that is not in the context', 'FROM scratch\nCOPY nothing /x\n', 'engine/build-failed'],
    ['a base image nobody has', () => `FROM ${registry.host}/private/nothing:1\n`, 'engine/image-missing'],
    ['a base image of an unreachable registry', 'FROM 127.0.0.1:1/x:1\n', 'registry/unreachable'],
    ['a wrong target', `FROM scratch AS a\nCOPY Dockerfile /\n`, 'engine/build-failed', { target: 'b' }],
    ['no Dockerfile', 'FROM scratch\n', 'engine/build-failed', { dockerfile: 'none/Dockerfile' }],
  ])('for %s', async (_, dockerfile, code, more = {}) => {
    const text = typeof dockerfile === 'string' ? dockerfile : dockerfile();
    const auth = { [registry.host]: REGISTRY_USER };
    await expect(build(text, { auth, ...more })).rejects.toMatchObject({ code });
  });

  test('that was cancelled ends at once, with the reason', async () => {
    const stop = new AbortController();
    const onLog = (text: string): void => {
      if (text.includes('begun')) stop.abort(new Error('cancelled by a person'));
    };
    const context = pack();
    context.entry({ name: 'Dockerfile' }, `FROM ${HELPER_IMAGE}\nRUN echo begun; sleep 100\n`);
    context.finalize();
    const running = engine.build({
      context: Readable.from(context),
      dockerfile: 'Dockerfile',
      platform: 'linux/amd64',
      tag: scope.name('cancelled:1'),
      args: { RANDOM: scope.name('x') },
      labels: {},
      cacheFrom: [],
      pullBases: false,
      inlineCache: false,
      auth: {},
      signal: stop.signal,
      onLog,
    });
    await expect(running).rejects.toThrow('cancelled by a person');
  });

  test('whose context breaks reports that', async () => {
    const context = Readable.from(
      (async function* () {
        yield Buffer.alloc(512);
        throw new Error('the source broke');
      })(),
    );
    await expect(build('', { context })).rejects.toThrow();
  });
});
