import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import fastify, { type HTTPMethods } from 'fastify';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { AUDIT_KINDS, type AuditEntry, type AuditPage } from '../../../src/plan/model/audit.ts';
import { buildApp } from '../../../src/server/app.ts';
import { AUDITED } from '../../../src/server/audit/rules.ts';
import { auditRequests } from '../../../src/server/audit/recorder.ts';
import { Sums } from '../../../src/server/audit/sums.ts';
import { ROUTES } from '../../support/routes.ts';
import { bearer, pipeline, testServer, TOKENS, type TestServer } from '../../support/server.ts';
import { openEvents } from '../../support/sse.ts';

const SECRET = 'webhook-secret-0123456789';
let server: TestServer;
beforeEach(async () => {
  server = await testServer({
    projects: [{ name: 'table', forge: 'gitlab', repository: 'team/table', webhook_secret: 'env:X' }],
    secrets: { table: SECRET },
  });
});
afterEach(() => server.close());

const entries = (): Promise<AuditEntry[]> => server.stores.audit.read({ kinds: AUDIT_KINDS, limit: 10_000 });
const pathOf = (route: string): { method: HTTPMethods; url: string } => {
  const [method = '', path = ''] = route.split(' ');
  const url = path
    .replace(':slug', 'table')
    .replace(':iid', '99')
    .replace(':digest', `sha256:${'0'.repeat(64)}`)
    .replace(':forge', 'gitlab')
    .replace(':key', 'request:x');
  return { method: method as HTTPMethods, url };
};
const call = (route: string, token: string | undefined, more: object = {}) =>
  server.app.inject({ ...pathOf(route), headers: token === undefined ? {} : bearer(token), ...more });

describe('every route', () => {
  const reading = (route: string): boolean => /^(GET|HEAD|OPTIONS) /.test(route);

  test('that changes or decides something has an audit rule, and no rule is without a route', () => {
    expect(Object.keys(ROUTES).filter((route) => !reading(route) && !AUDITED[route])).toEqual([]);
    expect(Object.keys(AUDITED).filter((route) => !ROUTES[route])).toEqual([]);
  });

  test('without a rule that changes something cannot be registered', () => {
    const app = fastify();
    auditRequests(app, server.deps);
    expect(() => app.post('/api/v1/new', async () => ({}))).toThrow(/has no audit rule/);
    expect(() => app.get('/api/v1/new', async () => ({}))).not.toThrow();
  });

  // What needs a password, a signature or an attempt is refused here, and noted too.
  const SIGNED = ['webhook', 'credential', 'sealed'];
  const OF_WORKERS = ['worker', 'attempt', 'sealed', 'control'];
  test.each(Object.keys(AUDITED).filter((route) => !SIGNED.includes(ROUTES[route] ?? '')))(
    '%s leaves an entry',
    async (route) => {
      const byWorker = OF_WORKERS.includes(ROUTES[route] ?? '');
      await call(route, byWorker ? TOKENS.worker : TOKENS.operator);
      const [found, ...others] = await entries();
      expect(others).toEqual([]);
      expect(found).toMatchObject({
        route,
        action: AUDITED[route]?.action,
        from: '127.0.0.1',
        actor: byWorker ? { kind: 'worker' } : { kind: 'user', name: 'the operator', role: 'operator' },
      });
    },
  );

  test.each(Object.entries(ROUTES).filter(([, access]) => access !== 'anybody'))(
    '%s leaves an entry when it is refused',
    async (route, access) => {
      await call(route, undefined);
      await call(route, 'a-token-that-nobody-ever-had');
      expect(await entries()).toMatchObject([
        { outcome: 'refused', status: 401, actor: { kind: 'nobody' }, from: '127.0.0.1' },
      ]);
      if (access !== 'operator') return;
      await call(route, TOKENS.developer);
      expect((await entries()).at(-1)).toMatchObject({
        outcome: 'refused',
        status: 403,
        code: 'auth/denied',
        actor: { kind: 'user', name: 'the developer', role: 'developer' },
      });
    },
  );

  test('that only reads leaves none', async () => {
    await call('GET /api/v1/pipelines', TOKENS.reader);
    await call('GET /healthz', undefined);
    expect(await entries()).toEqual([]);
  });
});

describe('an entry', () => {
  test('says what was decided, by whom and how it ended', async () => {
    server.workflows.open.set('table/1', pipeline('table/1'));
    const decide = (payload: object) =>
      server.app.inject({
        method: 'POST',
        url: '/api/v1/pipelines/table/1/decisions',
        headers: bearer(TOKENS.developer),
        payload,
      });
    await decide({ action: 'play', job: 'deploy', comment: 'a comment' });
    server.workflows.answer = { accepted: false, code: 'gate/not-an-approver', message: 'no' };
    await decide({ action: 'play', job: 'deploy' });
    const developer = { kind: 'user', name: 'the developer', role: 'developer' };
    const about = { project: 'table', pipeline: 'table/1', action: 'play', job: 'deploy' };
    expect(await entries()).toMatchObject([
      { kind: 'people', action: 'job.decide', outcome: 'done', status: 200, actor: developer, about },
      { kind: 'refused', outcome: 'refused', code: 'gate/not-an-approver', actor: developer, about },
    ]);
    expect(JSON.stringify(await entries())).not.toContain('a comment');
  });

  test('is on disk before the response', async () => {
    server.workflows.open.set('table/99', pipeline('table/99'));
    await call('POST /api/v1/pipelines/:slug/:iid/cancel', TOKENS.developer);
    const text = await readFile(join(server.folder, 'audit', 'people-00000001.jsonl'), 'utf8');
    expect(JSON.parse(text)).toMatchObject({ action: 'pipeline.cancel' });
  });

  test('of a delivery names the forge, the project and the key; a wrong signature is nobody', async () => {
    const payload = {
      object_kind: 'push',
      ref: 'refs/heads/main',
      before: '0'.repeat(40),
      after: 'a'.repeat(40),
      checkout_sha: 'a'.repeat(40),
      user_username: 'ada',
      project: {
        path_with_namespace: 'team/table',
        git_http_url: 'https://forge.test/t.git',
        default_branch: 'main',
      },
      commits: [],
      total_commits_count: 0,
    };
    const deliver = (token: string) =>
      server.app.inject({
        method: 'POST',
        url: '/webhooks/gitlab/table',
        headers: {
          'x-gitlab-token': token,
          'x-gitlab-event': 'Push Hook',
          'content-type': 'application/json',
        },
        payload,
      });
    await deliver(SECRET);
    await deliver('wrong-secret-0123456789');
    const [done, refused] = await entries();
    expect(done).toMatchObject({
      actor: { kind: 'forge' },
      outcome: 'done',
      about: { project: 'table', forge: 'gitlab' },
    });
    expect(done?.about.key).toMatch(/./);
    expect(refused).toMatchObject({
      actor: { kind: 'nobody' },
      outcome: 'refused',
      code: 'webhook/signature',
    });
  });

  test('holds no token and no secret, wherever a request puts one', async () => {
    const leaked = [...Object.values(TOKENS), SECRET, 'an-unknown-token-0123456789'];
    for (const text of leaked)
      for (const token of leaked) {
        await call('POST /api/v1/projects/:slug/environments/stop', token, { payload: { name: text } });
        await call('POST /internal/v1/records/put', token, { payload: { name: text, value: text } });
        await server.app.inject({
          method: 'POST',
          url: `/api/v1/projects/${text}/pipelines?token=${text}`,
          headers: { ...bearer(token), cookie: `token=${text}`, 'user-agent': text },
          payload: { ref: text, key: text, variables: { TOKEN: text }, title: text },
        });
      }
    let whole = '';
    for (const name of await readdir(join(server.folder, 'audit')))
      whole += await readFile(join(server.folder, 'audit', name), 'utf8');
    expect(whole).toContain('[REDACTED]');
    const known = leaked.slice(0, -1);
    for (const text of known) expect(whole).not.toContain(text);
    expect(whole).not.toContain('"TOKEN"');
  });

  test('says where a request comes from, by a proxy that is known alone', async () => {
    const forwarded = { headers: { ...bearer(TOKENS.operator), 'x-forwarded-for': '203.0.113.9' } };
    await call('POST /api/v1/collection', undefined, forwarded);
    expect((await entries()).at(-1)?.from).toBe('127.0.0.1');
    const app = buildApp({ ...server.deps, proxies: ['127.0.0.1'] });
    await app.inject({ method: 'POST', url: '/api/v1/collection', ...forwarded });
    expect((await entries()).at(-1)?.from).toBe('203.0.113.9');
    await app.close();
  });

  test('of an unknown caller is written once, and then counted', async () => {
    for (let times = 0; times < 5; times += 1) await call('GET /api/v1/workers', undefined);
    expect(await entries()).toHaveLength(1);
    await server.app.close();
    expect((await entries()).map(({ times }) => times)).toEqual([undefined, 4]);
  });

  test('of workers is written once, and then counted', async () => {
    const put = (name: string) =>
      call('POST /internal/v1/records/put', TOKENS.worker, { payload: { name, value: 1 } });
    for (const name of ['caches/a', 'caches/a', 'caches/b', 'caches/a']) await put(name);
    expect((await entries()).map(({ about, times }) => [about.name, times])).toEqual([
      ['caches/a', undefined],
      ['caches/b', undefined],
    ]);
    await server.app.close();
    expect((await entries()).map(({ about, times }) => [about.name, times])).toContainEqual(['caches/a', 2]);
  });
});

test('sums are written after their time, and the oldest when there are too many', () => {
  const written: AuditEntry[] = [];
  const sums = new Sums((entry) => written.push(entry));
  const entry = (number: number): AuditEntry => ({
    at: '2026-01-01T00:00:00.000Z',
    kind: 'workers',
    actor: { kind: 'worker' },
    action: 'record.write',
    outcome: 'done',
    about: { number },
  });
  sums.add(entry(0));
  sums.add(entry(0));
  for (let number = 1; number <= 5_000; number += 1) sums.add(entry(number));
  expect(written.filter(({ times }) => times !== undefined)).toEqual([{ ...entry(0), times: 1 }]);
  sums.close();
});

describe('a disk that fails', () => {
  test('breaks no request, is counted, and told in the log and to who reads the trail', async () => {
    server.workflows.open.set('table/1', pipeline('table/1'));
    const { audit } = server.stores;
    let lost = 0;
    const failing = {
      ...audit,
      append: async () => {
        lost += 1;
        return false;
      },
      lost: () => lost,
    };
    const app = fastify();
    auditRequests(app, { ...server.deps, audit: failing });
    app.post('/api/v1/collection', async () => ({ fine: true }));
    expect((await app.inject({ method: 'POST', url: '/api/v1/collection' })).json()).toEqual({ fine: true });
    expect(server.logged()).toContain('the audit trail cannot be written');
    await app.close();
  });

  test('does not hold a response back for long', async () => {
    const stuck = { ...server.stores.audit, append: () => new Promise<boolean>(() => undefined) };
    const app = fastify();
    auditRequests(app, { ...server.deps, audit: stuck });
    app.post('/api/v1/collection', async () => ({ fine: true }));
    const begun = performance.now();
    expect((await app.inject({ method: 'POST', url: '/api/v1/collection' })).statusCode).toBe(200);
    expect(performance.now() - begun).toBeLessThan(5_000);
    await app.close();
  });
});

describe('operators', () => {
  test('read what is stored, by time and kind', async () => {
    await call('POST /api/v1/pipelines/:slug/:iid/cancel', TOKENS.developer);
    await call('GET /api/v1/workers', undefined);
    const ask = async (query: string): Promise<AuditPage> =>
      (await server.app.inject({ url: `/api/v1/audit?${query}`, headers: bearer(TOKENS.operator) })).json();
    const page = await ask('kinds=refused');
    expect(page.lost).toBe(0);
    expect(page.entries.map(({ action }) => action)).toEqual(['pipeline.cancel', 'read']);
    expect((await ask('since=2999-01-01T00:00:00Z')).entries).toEqual([]);
    expect((await ask('limit=1')).entries).toHaveLength(1);
    const wrong = await server.app.inject({ url: '/api/v1/audit?kinds=x', headers: bearer(TOKENS.operator) });
    expect(wrong.statusCode).toBe(400);
  });

  test('follow it: first what is stored since a time, then what is added, each once', async () => {
    await call('POST /api/v1/collection', TOKENS.operator, { payload: { dryRun: true } });
    const url = await server.app.listen({ port: 0, host: '127.0.0.1' });
    const since = new Date(0).toISOString();
    const events = await openEvents(`${url}/api/v1/audit/follow?since=${since}`, bearer(TOKENS.operator));
    expect(await events.next()).toMatchObject({ event: 'entry', data: { action: 'blobs.collect' } });
    await call('GET /api/v1/workers', undefined);
    expect(await events.next()).toMatchObject({
      event: 'entry',
      data: { action: 'read', outcome: 'refused' },
    });
    events.close();
  });

  test('an entry that is added while the stored ones are read comes once', async () => {
    const { audit } = server.stores;
    const add = (): Promise<unknown> => call('POST /api/v1/collection', TOKENS.operator);
    const reading: typeof audit = {
      ...audit,
      read: async (query) => {
        await add();
        const found = await audit.read(query);
        await add();
        return found;
      },
    };
    const app = buildApp({ ...server.deps, audit: reading });
    const url = await app.listen({ port: 0, host: '127.0.0.1' });
    const since = new Date(0).toISOString();
    const events = await openEvents(`${url}/api/v1/audit/follow?since=${since}`, bearer(TOKENS.operator));
    const seen = [await events.next(), await events.next()];
    await call('GET /api/v1/workers', undefined);
    seen.push(await events.next());
    const actions = seen.map((one) => (one?.data as AuditEntry | undefined)?.action);
    expect(actions).toEqual(['blobs.collect', 'blobs.collect', 'read']);
    events.close();
    await app.close();
  });
});

test('what a job has done is read again', async () => {
  const entry: AuditEntry = {
    at: new Date().toISOString(),
    kind: 'workers',
    actor: { kind: 'job', name: 'table/1 unit/1' },
    action: 'log.open',
    outcome: 'done',
    about: {},
  };
  await server.stores.audit.append(entry);
  expect(await entries()).toEqual([entry]);
});
