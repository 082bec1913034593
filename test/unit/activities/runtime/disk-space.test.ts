import { expect, test } from 'vitest';
import {
  ownImages,
  removeOwnImages,
  freedSpaceText,
  retryHintAfterGc,
} from '../../../../activities/runtime/disk-space.ts';
import type { Engine } from '../../../../src/adapters/ports.ts';
import { DavitError } from '../../../../src/errors.ts';
import { type DiskSpaceOptions, makeFreeDiskSpace } from '../../../../workers/parts/disk-space.ts';

const URL = 'https://davit.example.com';
const by = (path: string): Record<string, string> => ({ 'org.opencontainers.image.url': `${URL}${path}` });
const image = (id: string, tags: string[], labels: Record<string, string>) => ({ id, tags, labels });
const ours = image('sha256:1', ['r/table:cache-arm64', 'r/table:latest'], by('/pipelines/table/7'));

test("an image is davit’s own by its tag and its pipeline's workflow, both", () => {
  const all = [
    ours,
    image('sha256:2', ['r/table:davit-8-build-table-amd64'], by('/pipelines/table/8')),
    image('sha256:3', ['r/table:cache-arm64-unprotected'], by('/pipelines/table/9')),
    // Foreign images that look like it: pulled, of another installation, without an owner, in use here.
    image('sha256:4', ['r/table:latest', 'r/table:v1'], by('/pipelines/table/7')),
    image('sha256:5', ['r/table:cache-amd64'], {
      'org.opencontainers.image.url': 'https://other.example.com/pipelines/table/7',
    }),
    image('sha256:6', ['r/table:cache-amd64'], {}),
    image('sha256:7', ['r/table:cache-amd64'], by('/pipelines/../table')),
    image('sha256:8', ['r/table:cache-amd64'], by('/pipelines/table/7')),
  ];
  const found = ownImages(all, { url: `${URL}/`, used: new Set(['sha256:8']) });
  expect(found.map(({ tag, workflowId }) => [tag, workflowId])).toEqual([
    ['r/table:cache-arm64', 'pipeline/table/7'],
    ['r/table:davit-8-build-table-amd64', 'pipeline/table/8'],
    ['r/table:cache-arm64-unprotected', 'pipeline/table/9'],
  ]);
});

function engineWith(images: ReturnType<typeof image>[], more: Partial<Engine> = {}) {
  const removed: string[] = [];
  const engine: Partial<Engine> = {
    listContainers: async () => [],
    listVolumes: async () => [],
    listNetworks: async () => [],
    listImages: async () => images,
    removeImage: async (tag) => void removed.push(tag),
    pruneBuildCache: async () => 5_000_000,
    ...more,
  };
  // Only calls that a collection may make are implemented: anything else fails the test.
  return { engine: engine as Engine, removed };
}
const maker = (engine: Engine, more: Partial<DiskSpaceOptions> = {}) =>
  makeFreeDiskSpace({
    engine,
    installation: 'i',
    url: URL,
    workflows: { isClosed: async () => true },
    minAgeMs: 0,
    pruneBuildCache: false,
    ...more,
  });

test('images of open pipelines stay, and those whose workflow is unknown', async () => {
  const { engine, removed } = engineWith([]);
  const all = ['open', 'unknown', 'over'].map((slug) => ({
    tag: `r/${slug}:cache-arm64`,
    id: slug,
    workflowId: `pipeline/${slug}/1`,
  }));
  const isClosed = async (id: string): Promise<boolean> => {
    if (id === 'pipeline/unknown/1') throw new Error('no answer');
    return id === 'pipeline/over/1';
  };
  expect(await removeOwnImages(engine, { isClosed }, all)).toEqual(['r/over:cache-arm64']);
  expect(removed).toEqual(['r/over:cache-arm64']);
});

test('jobs that find a full disk concurrently wait for one collection', async () => {
  let lists = 0;
  const { engine, removed } = engineWith([ours], { listImages: async () => ((lists += 1), [ours]) });
  const make = maker(engine);
  const rooms = await Promise.all([make(), make(), make()]);
  expect(rooms[0]).toEqual({ runs: 0, images: ['r/table:cache-arm64'], cacheBytes: 0 });
  expect([lists, removed.length]).toEqual([1, 1]);
  await make();
  expect(lists).toBe(2);
});

test('an image that cannot be removed does not stop the others, and the build cache is removed only if allowed', async () => {
  const second = image('sha256:2', ['r/b:cache-arm64'], by('/pipelines/b/1'));
  const { engine, removed } = engineWith([ours, second], {
    listContainers: () => Promise.reject(new DavitError('engine/no-space', 'Full.')),
    removeImage: async (tag) => {
      if (tag === 'r/table:cache-arm64') throw new DavitError('engine/in-use', 'In use.');
      removed.push(tag);
    },
  });
  expect(await maker(engine)()).toEqual({ runs: 0, images: ['r/b:cache-arm64'], cacheBytes: 0 });
  expect((await maker(engine, { pruneBuildCache: true })()).cacheBytes).toBe(5_000_000);
});

test.each([
  { left: [], removed: ['sha256:1'], what: 'goes by its id' },
  {
    left: [image('sha256:1', ['r/table:latest'], {})],
    removed: [],
    what: 'stays where a stranger’s tag names it too',
  },
])('an image whose tag a completely full engine has forgotten $what', async ({ left, removed: ids }) => {
  const { engine, removed } = engineWith([], {
    listImages: async () => left,
    removeImage: async (name) => {
      if (name.startsWith('r/')) throw new DavitError('engine/no-space', 'Full.');
      removed.push(name);
    },
  });
  const own = [{ tag: 'r/table:cache-arm64', id: 'sha256:1', workflowId: 'pipeline/table/7' }];
  const told = await removeOwnImages(engine, { isClosed: async () => true }, own);
  expect([told.length, removed]).toEqual([ids.length, ids]);
});

test('a full disk is reported with its machine and what was removed; any other error is unchanged', async () => {
  const machine = {
    hostName: 'board',
    freeDiskSpace: async () => ({ runs: 1, images: ['a', 'b'], cacheBytes: 0 }),
  };
  const full = await retryHintAfterGc(
    new DavitError('engine/no-space', 'Cannot pull image x: full.'),
    machine,
  );
  expect(full).toMatchObject({ code: 'engine/no-space' });
  expect(String(full)).toContain(
    'The disk of the container engine on board is full: Cannot pull image x: full. davit removed its own unused objects there: objects of 1 ended run, 2 images of ended pipelines.',
  );
  const broken = { hostName: 'board', freeDiskSpace: () => Promise.reject(new Error('away')) };
  expect(String(await retryHintAfterGc(full, broken))).toContain('could not remove its own unused objects');
  const other = new DavitError('engine/failed', 'x');
  expect(await retryHintAfterGc(other, broken)).toBe(other);
  expect(freedSpaceText({ runs: 0, images: [], cacheBytes: 0 })).toContain('nothing of its own');
});
