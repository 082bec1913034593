/** Jobs that need submodules or objects of Git LFS have a source of their own; a failure concerns only them. */
import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { withSources } from '../../../../activities/compile/source.ts';
import type { Source, SourceRequest } from '../../../../src/adapters/ports.ts';
import { DavitError } from '../../../../src/errors.ts';
import { installationSchema } from '../../../../src/installation.ts';
import type { JobSpec } from '../../../../src/plan/model/spec.ts';
import { triggerOf } from '../../../support/plans.ts';
import { common, memoryBlobs } from '../fakes.ts';

const [project] = installationSchema.parse({
  projects: [{ name: 'table', clone_url: 'https://forge.test/table.git' }],
}).projects;

function setUp(trouble?: DavitError) {
  const asked: SourceRequest[] = [];
  const source = {
    fetch: async (request: SourceRequest) => {
      asked.push(request);
      const part = trouble?.message.startsWith('Git LFS') ? request.lfs : request.submodules;
      if (part && trouble) throw trouble;
      const parts = [request.depth, request.submodules ?? null, request.lfs ?? null];
      const tar = Readable.from([Buffer.from(JSON.stringify(parts))]);
      return { tar, done: Promise.resolve() };
    },
  } as Partial<Source> as Source;
  const secrets = {
    resolve: async () => 'x',
    seal: (bytes: Uint8Array) => bytes,
    unseal: (bytes: Uint8Array) => bytes,
  };
  const job = (values: Record<string, string>): { spec: JobSpec } => ({
    spec: {
      ...common,
      kind: 'push',
      repository: 'r',
      tags: [],
      from: [],
      variables: Object.entries(values).map(([name, literal]) => ({
        name,
        value: { literal },
        masked: false,
        file: false,
      })),
    },
  });
  const ask = async (all: Record<string, string>[], fork = false) => {
    if (!project) throw new Error('a project was expected');
    const trigger = triggerOf('table', { fork });
    const signal = new AbortController().signal;
    const what = { trigger, jobs: all.map(job), signal, allowHosts: ['a.test'] };
    const more = { pointers: [], lfsBytes: 77 };
    const deps = { blobs: memoryBlobs(), source, secrets };
    return (await withSources(deps, project, { ...what, ...more })).jobs.map((one) => one.spec);
  };
  /** Jobs with a script, in a repository with a pointer of Git LFS. */
  const askLfs = async (all: Record<string, string>[], of: { fork?: boolean; url?: string } = {}) => {
    if (!project) throw new Error('a project was expected');
    const jobs = all.map((values) => ({ spec: { ...job(values).spec, kind: 'script' } as JobSpec }));
    const trigger = triggerOf('table', { fork: of.fork ?? false });
    const signal = new AbortController().signal;
    const what = { trigger, jobs, signal, allowHosts: [], pointers: ['big.bin'], lfsBytes: 77 };
    const owner = { ...project, ...(of.url !== undefined && { clone_url: of.url }) };
    return withSources({ blobs: memoryBlobs(), source, secrets }, owner, what);
  };
  return { ask, askLfs, asked };
}
const NORMAL = { GIT_SUBMODULE_STRATEGY: 'normal' };

test('one fetch serves all jobs with the same submodules; the others use the common source', async () => {
  const { ask, asked } = setUp();
  const [plain, first, second, deep] = await ask([{}, NORMAL, NORMAL, { GIT_DEPTH: '50' }]);
  expect(asked.map((one) => [one.depth, one.submodules])).toEqual([
    [20, { recursive: false, paths: [], depth: 20, credentials: true, allowHosts: ['a.test'] }],
    [50, undefined],
  ]);
  expect([plain?.source, plain?.submodules]).toEqual([common.source, undefined]);
  expect(first?.source).toBe(second?.source);
  expect([first?.submodules, deep?.submodules]).toEqual([{}, undefined]);
  expect(new Set([plain?.source, first?.source, deep?.source]).size).toBe(3);
});
test('a fork reads nothing with credentials', async () => {
  const { ask, asked } = setUp();
  await ask([NORMAL], true);
  expect(asked[0]?.submodules?.credentials).toBe(false);
});
test('a refusal fails the job that asks; an unreachable forge is asked again', async () => {
  const refused = setUp(new DavitError('git/denied', 'Submodule x: The repository refused.'));
  expect((await refused.ask([NORMAL]))[0]?.submodules?.failure).toContain('Submodule x');
  const away = setUp(new DavitError('git/unreachable', 'Submodule x: git could not fetch.'));
  await expect(away.ask([NORMAL])).rejects.toMatchObject({ code: 'git/unreachable' });
});

test('jobs get the objects of Git LFS by one fetch, unless they leave them out', async () => {
  const { askLfs, asked } = setUp();
  const skipping: Record<string, string>[] = [
    { GIT_LFS_SKIP_SMUDGE: '1' },
    { GIT_STRATEGY: 'none' },
    { GIT_LFS_SKIP_SMUDGE: 'true' },
  ];
  const { jobs, warnings } = await askLfs([{}, { GIT_LFS_SKIP_SMUDGE: '0' }, ...skipping]);
  expect(asked.map(({ lfs }) => lfs)).toEqual([{ credentials: true, maxBytes: 77 }]);
  const sources = jobs.map(({ spec }) => spec.source);
  expect(sources[0]).toBe(sources[1]);
  expect(sources.slice(2)).toEqual([common.source, common.source, common.source]);
  expect(sources[0]).not.toBe(common.source);
  expect(warnings).toEqual([]);
});
test('objects of Git LFS are read without credentials for a fork', async () => {
  const { askLfs, asked } = setUp();
  await askLfs([{}], { fork: true });
  expect(asked[0]?.lfs?.credentials).toBe(false);
});
test('objects that the forge does not give fail the job; an unreachable forge is asked again', async () => {
  const lost = setUp(new DavitError('git/lfs', 'Git LFS: it does not give the object.'));
  const { jobs } = await lost.askLfs([{}, { GIT_LFS_SKIP_SMUDGE: '1' }]);
  expect(jobs.map(({ spec }) => spec.lfs?.failure.split(':')[0])).toEqual(['Git LFS', undefined]);
  const away = setUp(new DavitError('git/unreachable', 'Git LFS: the connection failed.'));
  await expect(away.askLfs([{}])).rejects.toMatchObject({ code: 'git/unreachable' });
});
test('where the source does not come over https, pointers stay, and a warning names them', async () => {
  const { askLfs, asked } = setUp();
  const { warnings } = await askLfs([{}], { url: 'git@forge.test:table.git' });
  expect(warnings.join()).toMatch(/^Git LFS: big\.bin is a pointer/);
  expect((await askLfs([{ GIT_LFS_SKIP_SMUDGE: '1' }], { url: 'ssh://forge.test/t.git' })).warnings).toEqual(
    [],
  );
  expect(asked).toEqual([]);
});
