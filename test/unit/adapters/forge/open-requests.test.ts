/** Open merge requests as the three forges list them: own ones, those of forks, and pages. */
import { afterEach, expect, test } from 'vitest';
import { openRequests } from '../../../../src/adapters/forge/index.ts';
import type { ForgeKind } from '../../../../src/adapters/forge/project-api.ts';
import { testForge, type TestForge } from '../../../support/forge.ts';

const reader = openRequests({ secrets: { resolve: async () => 'canary-token' } });
let forge: TestForge | undefined;
afterEach(async () => {
  await forge?.close();
  forge = undefined;
});
const projectOf = (kind: ForgeKind, url: string) => ({
  name: 'table',
  forge: kind,
  forge_url: url,
  forge_token: 'env:T' as const,
  repository: 'group/table',
});
const KINDS: ForgeKind[] = ['gitlab', 'github', 'gitea'];

test.each(KINDS)('%s: own requests and those of forks, as their events describe them', async (kind) => {
  forge = await testForge(kind);
  const read = await reader.open(projectOf(kind, forge.url));
  expect(read?.complete).toBe(true);
  const prefix = kind === 'gitlab' ? 'refs/merge-requests' : 'refs/pull';
  expect(read?.requests[0]).toMatchObject({
    ref: `${prefix}/3/head`,
    sha: 'a'.repeat(40),
    title: 'Request 3',
    author: 'ada',
    fork: false,
    mergeRequest: {
      iid: 3,
      id: '103',
      sourceBranch: 'legs',
      targetBranch: 'main',
      sourceSha: 'a'.repeat(40),
      description: 'why',
      labels: ['bug'],
      draft: false,
      source: { id: '1', path: 'group/table' },
      target: { path: 'group/table' },
    },
  });
  // Another repository, one that is gone, and at Gitea one without the right to push. One without a head is left out.
  expect(read?.requests.slice(1).map((one) => one.fork)).toEqual(
    kind === 'gitlab' ? [true, true] : [true, true, true],
  );
  expect([...forge.tokens].every((token) => token.includes('canary-token'))).toBe(true);
});

test('all pages are read, up to a limit', async () => {
  forge = await testForge('gitea');
  const { pulls } = forge.lists;
  if (!Array.isArray(pulls)) throw new Error('a list');
  forge.page = 2;
  expect((await reader.open(projectOf('gitea', forge.url)))?.requests.length).toBe(4);
  forge.lists.pulls = Array.from({ length: 30 }, (_, n) => ({ ...pulls[0], number: n + 1 }));
  const many = await reader.open(projectOf('gitea', forge.url));
  expect([many?.requests.length, many?.complete]).toEqual([20, false]);
});

test('without a token nothing is asked; a refusal names the list and no content', async () => {
  expect(
    await reader.open({ ...projectOf('gitea', 'http://127.0.0.1:1'), forge_token: undefined }),
  ).toBeUndefined();
  forge = await testForge('github');
  forge.status = 403;
  await expect(reader.open(projectOf('github', forge.url))).rejects.toMatchObject({
    code: 'forge/refused',
    message: expect.stringContaining('open merge requests of group/table'),
  });
});
