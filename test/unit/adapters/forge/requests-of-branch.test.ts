/** Which open merge requests of a branch each forge lists. */
import { afterEach, expect, test } from 'vitest';
import { forgeStatuses } from '../../../../src/adapters/forge/index.ts';
import type { ForgeKind } from '../../../../src/adapters/forge/project-api.ts';
import { testForge, type TestForge } from '../../../support/forge.ts';

let forge: TestForge | undefined;
afterEach(async () => {
  await forge?.close();
  forge = undefined;
});

const own = { id: 7 };
const pull = (number: number, ref: string, repo: { id: number } | null = own) => ({
  number,
  head: { ref, repo },
  base: { ref: 'main', repo: own },
});
const merge = (iid: number, branch: string, source: number | null = 7) => ({
  iid,
  source_branch: branch,
  source_project_id: source,
  target_project_id: 7,
});

async function asked(
  kind: ForgeKind,
  lists: object,
  more: { page?: number; status?: number; branch?: string } = {},
) {
  const open = await testForge(kind);
  forge = open;
  Object.assign(open.lists, lists);
  open.page = more.page ?? 100;
  open.status = more.status ?? 200;
  const settings = {
    name: 'table',
    forge: kind,
    forge_url: open.url,
    forge_token: 'env:T',
    repository: 'group/table',
  } as const;
  const found = forgeStatuses({
    projects: [settings],
    secrets: { resolve: async () => 'token' },
  }).openRequests('table', more.branch ?? 'fix/a b');
  return { found: await found, requests: open.requests };
}

test.each(['gitea', 'github'] as const)('%s: those of this branch, and none of a fork', async (kind) => {
  const pulls = [
    pull(1, 'other'),
    pull(2, 'fix/a b'),
    pull(3, 'fix/a b', { id: 8 }),
    pull(4, 'fix/a b', null),
    pull(5, 'fix/a b'),
  ];
  expect((await asked(kind, { pulls })).found).toEqual(['group/table!2', 'group/table!5']);
});

test('gitlab: the same, by its own filter', async () => {
  const { found, requests } = await asked('gitlab', {
    merge_requests: [merge(3, 'fix/a b'), merge(4, 'fix/a b', 9), merge(5, 'fix/a b', null), merge(6, 'x')],
  });
  expect(found).toEqual(['group/table!3']);
  expect(requests[0]).toContain('/merge_requests?state=opened&source_branch=fix%2Fa%20b&');
});

test('github is asked for the branches of the owner alone', async () => {
  const { requests } = await asked('github', { pulls: [] });
  expect(requests[0]).toContain('/pulls?state=open&head=group:fix%2Fa%20b&');
});

test('gitea is asked page by page, to an end; at most four are named', async () => {
  const pulls = Array.from({ length: 9 }, (_, at) => pull(at + 1, at < 2 ? 'other' : 'mine'));
  const { found, requests } = await asked('gitea', { pulls }, { page: 2, branch: 'mine' });
  expect(found).toEqual(['group/table!3', 'group/table!4', 'group/table!5', 'group/table!6']);
  expect(requests).toHaveLength(3);
  const many = Array.from({ length: 50 }, (_, at) => pull(at + 1, 'other'));
  expect((await asked('gitea', { pulls: many }, { page: 2 })).requests).toHaveLength(6);
});

test.each([
  [403, 'forge/refused'],
  [503, 'forge/away'],
])('%i rejects with %s', async (status, code) => {
  await expect(asked('gitea', { pulls: [] }, { status })).rejects.toMatchObject({ code });
});

test('an answer of another form is refused', async () => {
  await expect(asked('gitea', { pulls: { message: 'sign in' } })).rejects.toMatchObject({
    code: 'forge/refused',
  });
});
