/** Jobs that ask for submodules have a source of their own; a failure concerns only them. */
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
      if (request.submodules && trouble) throw trouble;
      const tar = Readable.from([Buffer.from(JSON.stringify([request.depth, request.submodules ?? null]))]);
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
    return (await withSources({ blobs: memoryBlobs(), source, secrets }, project, what)).map(
      (one) => one.spec,
    );
  };
  return { ask, asked };
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
