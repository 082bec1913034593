/** A deletion starts nothing, and its project forgets the ref. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { DavitError } from '../../../src/errors.ts';
import { deliver, push, SHA, type Forge } from '../../support/deliveries.ts';
import { testServer, type TestServer } from '../../support/server.ts';

const FORGES: Forge[] = ['gitlab', 'github', 'gitea'];
const projects = FORGES.map((forge) => ({ name: `table-${forge}`, forge, repository: 'group/table' }));
const secrets = Object.fromEntries(projects.map(({ name }) => [name, 'a-secret-of-the-table']));

let server: TestServer;
beforeEach(async () => {
  server = await testServer({ projects, secrets });
});
afterEach(() => server.close());

async function deleted(forge: Forge, of: Parameters<typeof push>[1]) {
  const { event, payload } = push(forge, { ...of, after: SHA.zero });
  const { headers, body } = deliver(forge, event, { payload, secret: 'a-secret-of-the-table' });
  return server.app.inject({ method: 'POST', url: `/webhooks/${forge}`, headers, payload: body });
}

test.each(FORGES)('%s: the project of a deleted branch or tag is told, and no other', async (forge) => {
  for (const ref of ['refs/heads/a/b', 'refs/tags/v1']) {
    const answer = await deleted(forge, { ref });
    expect([answer.statusCode, answer.json()]).toEqual([200, { ignored: 'The ref was deleted.' }]);
  }
  await deleted(forge, { repository: 'group/other' });
  expect(server.workflows.deletions).toEqual([
    { project: `table-${forge}`, refKind: 'branch', ref: 'a/b', before: SHA.a },
    { project: `table-${forge}`, refKind: 'tag', ref: 'v1', before: SHA.a },
  ]);
  expect(server.workflows.triggers).toEqual([]);
});

test('a forge is told that a deletion is not known to Temporal', async () => {
  server.workflows.failure = new DavitError('temporal/unreachable', 'away');
  expect((await deleted('gitea', {})).statusCode).toBe(503);
});
