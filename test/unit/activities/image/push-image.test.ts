import { expect, test } from 'vitest';
import { makePushImage } from '../../../../activities/image/push-image.ts';
import type { Registries, Registry } from '../../../../src/adapters/ports.ts';
import { DavitError } from '../../../../src/errors.ts';
import type { BuiltImage } from '../../../../src/plan/model/outcome.ts';
import { PLATFORMS, type PushSpec } from '../../../../src/plan/model/spec.ts';
import { asActivity, common, digest, json, memoryBlobs, memoryLogs, runInput, testFacts } from '../fakes.ts';

const REPOSITORY = '127.0.0.1:5000/table';
const image = (arch: 'arm32' | 'arm64' | 'amd64', char: string, repository = REPOSITORY): BuiltImage => ({
  repository,
  digest: digest(char),
  platform: PLATFORMS[arch],
  sizeBytes: 1,
});

interface Written {
  repository: string;
  entries: { digest: string; platform: unknown }[];
  tags: string[];
  annotations: Record<string, string>;
}
function setUp(options: { gone?: string; outages?: number } = {}) {
  const written: Written[] = [];
  const copies: string[] = [];
  let outages = options.outages ?? 0;
  const registry: Registry = {
    host: '127.0.0.1:5000',
    has: async () => true,
    putArchive: () => Promise.reject(new Error('not used')),
    copyImage: async (from, digest, to) => void copies.push(`${from}@${digest} ${to}`),
    ping: async () => undefined,
    manifest: async (_repository, reference) =>
      reference === options.gone
        ? undefined
        : { digest: digest('a'), mediaType: 'application/vnd.oci.image.manifest.v1+json', sizeBytes: 3 },
    index: async () => undefined,
    async putIndex(repository, entries, tags, annotations) {
      if (outages-- > 0) throw new DavitError('registry/unreachable', 'The registry did not answer.');
      written.push({ repository, entries, tags, annotations });
      return digest('f');
    },
    deleteManifest: async () => undefined,
    imageSize: async () => 1,
  };
  const registries: Registries = {
    forImage: async () => ({ registry, repository: 'table' }),
    authFor: async () => undefined,
    authForTarget: async () => undefined,
    default: async () => ({ host: '127.0.0.1:5000' }),
  };
  const blobs = memoryBlobs();
  const logs = memoryLogs();
  const push = makePushImage({ blobs, logs, registries, facts: testFacts() });
  const spec = async (more: Partial<PushSpec> = {}) =>
    blobs.putBytes(
      json({
        ...common,
        kind: 'push',
        repository: REPOSITORY,
        tags: ['1.0', 'latest'],
        from: ['build: [arm32]', 'build: [arm64]'],
        ...more,
      }),
    );
  return { push, spec, written, logs };
}
const both: { job: string; image: BuiltImage }[] = [
  { job: 'build: [arm32]', image: image('arm32', 'a') },
  { job: 'build: [arm64]', image: image('arm64', 'b') },
];

test('the index names each architecture by digest, with its variant, and every attempt writes the same bytes', async () => {
  const { push, spec, written, logs } = setUp();
  const input = runInput(await spec(), { images: both });
  const result = await asActivity(push, input);
  expect(result.outcome).toBe('succeeded');
  expect(result.index).toEqual({
    repository: REPOSITORY,
    digest: digest('f'),
    tags: ['1.0', 'latest'],
    platforms: [
      { platform: { os: 'linux', architecture: 'arm', variant: 'v6' }, digest: digest('a') },
      { platform: { os: 'linux', architecture: 'arm64', variant: 'v8' }, digest: digest('b') },
    ],
  });
  expect(written[0]?.annotations['org.opencontainers.image.revision']).toBe(common.sha);
  expect(logs.text()).toContain(`${REPOSITORY}:latest -> ${digest('f')}`);
  expect(result.log?.complete).toBe(true);
  await asActivity(push, { ...input, ref: { ...input.ref, epoch: 2 } });
  expect(written[1]).toEqual(written[0]);
});

test('nothing is written while an architecture is missing', async () => {
  const { push, spec, written } = setUp();
  const result = await asActivity(push, runInput(await spec(), { images: both.slice(0, 1) }));
  expect(result).toMatchObject({ outcome: 'errored', kind: 'missing_dependency' });
  expect(result.message).toContain('build: [arm64]');
  expect(written).toEqual([]);
});

test('an image of another repository, two of one platform, or a missing one: refused with a message', async () => {
  const { push, spec, written } = setUp({ gone: digest('b') });
  const foreign = [
    ...both.slice(0, 1),
    { job: 'build: [arm64]', image: image('arm64', 'b', 'other.test/x') },
  ];
  const twice = [...both.slice(0, 1), { job: 'build: [arm64]', image: image('arm32', 'b') }];
  const run = async (images: typeof both) => asActivity(push, runInput(await spec(), { images }));
  expect(await run(foreign)).toMatchObject({ outcome: 'failed', kind: 'config' });
  expect(await run(twice)).toMatchObject({ outcome: 'failed', kind: 'config' });
  expect(await run(both)).toMatchObject({ outcome: 'errored', kind: 'missing_dependency' });
  expect(written).toEqual([]);
});

test('a registry that comes back is waited for', async () => {
  const { push, spec, written, logs } = setUp({ outages: 1 });
  const result = await asActivity(push, runInput(await spec(), { images: both }));
  expect(result.outcome).toBe('succeeded');
  expect(written).toHaveLength(1);
  expect(logs.text()).toContain('Trying again');
});
