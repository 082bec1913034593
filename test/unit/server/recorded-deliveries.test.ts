/** The same events of each forge, as it documents them, become the same triggers. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Trigger } from '../../../src/plan/model/trigger.ts';
import type { Forge } from '../../support/deliveries.ts';
import { OBJECTS, recorded, RECORDED_REPOSITORY } from '../../support/recorded.ts';
import { testServer, type TestServer } from '../../support/server.ts';

const FORGES: Forge[] = ['gitlab', 'github', 'gitea'];
const SECRET = 'a-secret-of-the-shop';
const { a, b, c, tag } = OBJECTS;
const ZERO = '0'.repeat(40);

let server: TestServer;
beforeAll(async () => {
  const projects = FORGES.map((forge) => ({ name: `shop-${forge}`, forge, repository: RECORDED_REPOSITORY }));
  const secrets = Object.fromEntries(projects.map(({ name }) => [name, SECRET]));
  server = await testServer({ projects, secrets });
});
afterAll(() => server.close());

async function sent(forge: Forge, name: string): Promise<{ status: number; trigger?: Trigger | undefined }> {
  const { headers, body } = recorded(forge, name, { secret: SECRET });
  const count = server.workflows.triggers.length;
  const url = `/webhooks/${forge}`;
  const answer = await server.app.inject({ method: 'POST', url, headers, payload: body });
  return { status: answer.statusCode, trigger: server.workflows.triggers[count] };
}

describe.each(FORGES)('%s', (forge) => {
  /** A moved tag has no former commit at Gitea. */
  const moved = forge === 'gitea' ? ZERO : b;
  test.each<[string, Partial<Trigger>]>([
    ['push', { source: 'push', ref: 'main', refKind: 'branch', before: a, sha: b, title: 'Better legs' }],
    ['push of the next commit', { source: 'push', ref: 'main', before: b, sha: c }],
    ['force push back', { source: 'push', ref: 'main', before: c, sha: b }],
    ['branch made', { source: 'push', ref: 'legs', refKind: 'branch', before: ZERO, sha: b }],
    ['branch moved', { source: 'push', ref: 'legs', before: b, sha: c }],
    ['tag made', { source: 'tag', ref: 'v1.0', refKind: 'tag', before: ZERO, sha: b }],
    ['annotated tag made', { ref: 'v2.0', sha: b, key: `push:refs/tags/v2.0:${ZERO}:${tag}` }],
    ['tag moved', { source: 'tag', ref: 'v1.0', before: moved, sha: c }],
    ['tag moved back', { source: 'tag', before: forge === 'gitea' ? ZERO : c, sha: b }],
  ])('%s', async (name, expected) => {
    const { status, trigger } = await sent(forge, name);
    expect(status).toBe(202);
    expect(trigger).toMatchObject({
      ...expected,
      fork: false,
      actor: 'ada',
      defaultBranch: 'trunk',
      repository: { path: RECORDED_REPOSITORY },
    });
  });

  test.each(['request opened', 'request reopened', 'request updated'])('%s', async (name) => {
    const { status, trigger } = await sent(forge, name);
    expect(status).toBe(202);
    const sha = name === 'request opened' ? b : c;
    expect(trigger).toMatchObject({
      source: 'merge_request',
      sha,
      fork: false,
      title: 'Better legs',
      defaultBranch: 'trunk',
      mergeRequest: {
        iid: 16,
        sourceBranch: 'legs',
        targetBranch: 'main',
        description: 'They are longer.',
        labels: ['legs'],
        assignees: ['ada'],
      },
    });
  });

  test.each(['request of a fork', 'request of a fork that is gone'])('%s', async (name) => {
    const { status, trigger } = await sent(forge, name);
    expect([status, trigger?.fork, trigger?.actor]).toEqual([202, true, 'eve']);
  });

  test.each(['tag deleted', 'branch deleted', 'request labelled', 'request closed', 'request merged'])(
    '%s starts nothing',
    async (name) => {
      expect(await sent(forge, name)).toEqual({ status: 200, trigger: undefined });
    },
  );
});

test('gitea: a request by AGit is one of a fork', async () => {
  expect((await sent('gitea', 'request by AGit')).trigger).toMatchObject({ fork: true });
});

test('github: the deletion of a branch that comes as an event of its own starts nothing', async () => {
  expect((await sent('github', 'branch deleted, as an event of its own')).status).toBe(200);
});
