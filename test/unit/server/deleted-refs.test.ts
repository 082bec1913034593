/** A deletion starts nothing, and its project forgets the ref. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { DavitError } from '../../../src/errors.ts';
import { deliver, merge, push, SHA, type Forge } from '../../support/deliveries.ts';
import { testServer, type TestServer } from '../../support/server.ts';

const FORGES: Forge[] = ['gitlab', 'github', 'gitea'];
const projects = FORGES.map((forge) => ({ name: `table-${forge}`, forge, repository: 'group/table' }));
const secrets = Object.fromEntries(projects.map(({ name }) => [name, 'a-secret-of-the-table']));

let server: TestServer;
beforeEach(async () => {
  server = await testServer({ projects, secrets });
});
afterEach(() => server.close());

function deleted(forge: Forge, of: Parameters<typeof push>[1]) {
  const { event, payload } = push(forge, { ...of, after: SHA.zero });
  return send(forge, event, payload);
}
async function send(forge: Forge, event: string, payload: unknown) {
  const { headers, body } = deliver(forge, event, { payload, secret: 'a-secret-of-the-table' });
  return server.app.inject({ method: 'POST', url: `/webhooks/${forge}`, headers, payload: body });
}

test.each(FORGES)('%s: the project of a deleted branch or tag is told, and no other', async (forge) => {
  for (const ref of ['refs/heads/a/b', 'refs/tags/v1']) {
    const answer = await deleted(forge, { ref });
    expect([answer.statusCode, answer.json()]).toEqual([200, { ignored: 'The ref was deleted.' }]);
  }
  await deleted(forge, { repository: 'group/other' });
  const deliveryId: unknown = expect.any(String);
  expect(server.workflows.deletions).toEqual([
    { project: `table-${forge}`, refKind: 'branch', ref: 'a/b', before: SHA.a, deliveryId },
    { project: `table-${forge}`, refKind: 'tag', ref: 'v1', before: SHA.a, deliveryId },
  ]);
  expect(server.workflows.refStops).toMatchObject([
    { project: `table-${forge}`, refKind: 'branch', ref: 'a/b', at: expect.any(Number) },
  ]);
  expect(server.workflows.triggers).toEqual([]);
});

const ENDS = {
  gitlab: ['close', 'merge'],
  github: ['closed'],
  gitea: ['closed'],
};
test.each(FORGES)('%s: of a closed or merged request, what it deployed is stopped', async (forge) => {
  for (const action of ENDS[forge]) {
    const { event, payload } = merge(forge, { action });
    await send(forge, event, payload);
  }
  const ref = forge === 'gitlab' ? 'refs/merge-requests/3/head' : 'refs/pull/3/head';
  expect(server.workflows.refStops).toMatchObject(
    ENDS[forge].map(() => ({ project: `table-${forge}`, refKind: 'merge_request', ref })),
  );
  expect([server.workflows.triggers, server.workflows.deletions]).toEqual([[], []]);
});

test('Gitea reports a deleted branch by an event of its own', async () => {
  const repository = { id: 1, full_name: 'group/table' };
  const gone = { ref: 'a/b', ref_type: 'branch', pusher_type: 'user', repository, sender: { login: 'ada' } };
  await send('gitea', 'delete', gone);
  expect(server.workflows.deletions).toMatchObject([
    { project: 'table-gitea', refKind: 'branch', ref: 'a/b' },
  ]);
  expect(server.workflows.refStops).toMatchObject([{ refKind: 'branch', ref: 'a/b' }]);
  await send('gitea', 'delete', { ...gone, ref: 'v1', ref_type: 'tag' });
  expect(server.workflows.deletions.length).toBe(1);
});

test('a forge is told that a deletion is not known to Temporal', async () => {
  server.workflows.failure = new DavitError('temporal/unreachable', 'away');
  expect((await deleted('gitea', {})).statusCode).toBe(503);
});
