import { afterEach, expect, test } from 'vitest';
import { reconcileFinding } from '../../../src/local/doctor/services.ts';
import {
  reconcileRecordName,
  skippedRecordName,
  type ReconcileRecord,
} from '../../../src/plan/model/records.ts';
import type { Reconciliation } from '../../../src/server/api.ts';
import { deliver, push, SHA } from '../../support/deliveries.ts';
import { bearer, testServer, TOKENS, type TestServer } from '../../support/server.ts';
import { sha256 } from '../../../src/utils/sha256.ts';

let server: TestServer;
afterEach(() => server.close());

const project = (name: string, more: object = {}) => ({
  name,
  forge: 'gitea',
  repository: 'group/table',
  clone_url: 'https://forge.test/group/table.git',
  ...more,
});

test('a delivery that asks for no pipeline is noted for the reconciler; an unsigned one is not', async () => {
  server = await testServer({ projects: [project('table')], secrets: { table: 'a secret' } });
  const { event, payload } = push('gitea', { message: 'words [skip ci]' });
  const name = skippedRecordName('table', sha256('refs/heads/main'));
  for (const [secret, status, noted] of [
    ['wrong', 401, undefined],
    ['a secret', 200, { sha: SHA.b }],
  ] as const) {
    const { headers, body } = deliver('gitea', event, { payload, secret });
    const answer = await server.app.inject({
      method: 'POST',
      url: '/webhooks/gitea',
      headers,
      payload: body,
    });
    expect(answer.statusCode).toBe(status);
    expect(await server.stores.records.get(name)).toEqual(noted);
  }
});

test('users see when each project was last compared, and doctor judges it', async () => {
  server = await testServer({
    projects: [project('table'), project('new'), project('off', { reconcile: false }), { name: 'local' }],
  });
  await server.stores.records.put<ReconcileRecord>(reconcileRecordName('table'), {
    at: 1_000_000,
    settled: { 'refs/heads/main': SHA.a },
    pending: { 'refs/heads/x': { sha: SHA.b, since: 1 } },
    found: { ref: 'refs/heads/main', sha: SHA.a, at: 5 },
  });
  const headers = bearer(TOKENS.reader);
  const answer = await server.app.inject({ method: 'GET', url: '/api/v1/reconciliation', headers });
  const [table, fresh, ...others] = answer.json<Reconciliation[]>();
  if (!table || !fresh) throw new Error('two projects are compared');
  expect(others).toEqual([]);
  expect(table).toMatchObject({
    project: 'table',
    at: 1_000_000,
    refs: 1,
    pending: ['refs/heads/x'],
    every: 300_000,
  });
  const judged = (one: Reconciliation, ms: number) => {
    const { verdict, found } = reconcileFinding(one, ms);
    return `${verdict}: ${found}`;
  };
  expect(judged(fresh, 0)).toMatch(/^ok: not checked yet/);
  expect(judged(table, 1_060_000)).toBe(
    'ok: 1 branches and tags, 1 min ago; pending deliveries: 1; last push without a delivery: refs/heads/main aaaaaaaaaaaa',
  );
  expect(judged(table, 2_000_000)).toMatch(/^warn: .*overdue/);
  expect(judged({ ...table, problem: 'It refused.' }, 0)).toBe('warn: The last check failed: It refused.');
});
