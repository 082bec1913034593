import type { HTTPMethods, InjectOptions } from 'fastify';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { guardRoutes } from '../../../src/server/access.ts';
import { bearer as bearerOf, knownTokens, type Access } from '../../../src/server/auth.ts';
import fastify from 'fastify';
import { ROUTES } from '../../support/routes.ts';
import { bearer, testServer, TOKENS, type TestServer } from '../../support/server.ts';

const ALLOWED: Record<Access, string[]> = {
  anybody: ['nobody', 'reader', 'developer', 'operator', 'cli', 'worker', 'control', 'wrong'],
  // Only the signature decides.
  webhook: [],
  // For a project that is not public; the response is for browsers. More: pages.test.ts.
  site: ['reader', 'developer', 'operator', 'cli'],
  // Of a running job, a target or a user, as a password; more: integration/registry-tokens.test.ts, job-git.test.ts.
  credential: [],
  worker: ['worker', 'control'],
  // Attempts: security/47-attempts.test.ts.
  attempt: ['worker', 'control'],
  control: ['worker', 'control'],
  sealed: [],
  reader: ['reader', 'developer', 'operator', 'cli'],
  developer: ['developer', 'operator', 'cli'],
  operator: ['operator', 'cli'],
};
const FOR_WORKERS: readonly Access[] = ['worker', 'attempt', 'control', 'sealed'];
const WHO = { ...TOKENS, nobody: undefined, wrong: 'a-token-that-nobody-ever-had' };

let server: TestServer;
beforeAll(async () => {
  server = await testServer();
});
afterAll(() => server.close());

describe('access to routes', () => {
  test('the routes are exactly those of the contract', async () => {
    await server.app.ready();
    for (const route of Object.keys(ROUTES)) {
      const [method, url] = route.split(' ');
      expect(server.app.hasRoute({ method: method as HTTPMethods, url: url ?? '' }), route).toBe(true);
    }
    const printed = server.app.printRoutes({ commonPrefix: false });
    const count = printed
      .split('\n')
      .flatMap((line) => /\(([A-Z, ]+)\)/.exec(line)?.[1]?.split(', ') ?? []).length;
    expect(count, printed).toBe(Object.keys(ROUTES).length);
  });

  const cases = Object.entries(ROUTES).flatMap(([route, access]) =>
    Object.keys(WHO).map((who) => ({ route, access, who })),
  );
  test.each(cases)('$who calls $route', async ({ route, access, who }) => {
    const [method, path] = route.split(' ');
    const url = (path ?? '')
      .replace(':slug', 'table')
      .replace(':iid', '99')
      .replace(':digest', `sha256:${'0'.repeat(64)}`)
      .replace(':forge', 'github')
      .replace(':key', 'request:x')
      .replace(':id', '0123456789abcdef-000001')
      // Without an end otherwise.
      .replace(/^\/api\/v1\/audit\/follow$/, '$&?limit=0');
    const token = WHO[who as keyof typeof WHO];
    const answer = await server.app.inject({
      method: method as InjectOptions['method'] & string,
      url,
      headers: token === undefined ? {} : bearer(token),
    });
    const denied = answer.statusCode === 401 || answer.statusCode === 403;
    expect(denied, `${answer.statusCode} ${answer.body}`).toBe(
      access === 'webhook' || !ALLOWED[access].includes(who),
    );
    if (
      access !== 'webhook' &&
      access !== 'site' &&
      access !== 'credential' &&
      denied &&
      who !== 'nobody' &&
      who !== 'wrong' &&
      who !== 'worker' &&
      who !== 'control' &&
      !FOR_WORKERS.includes(access)
    )
      expect(answer.statusCode).toBe(403);
  });

  test('a malformed token is an unknown one, not a missing one', async () => {
    const ask = async (headers: Record<string, string>): Promise<string> =>
      (await server.app.inject({ url: '/api/v1/workers', headers })).body;
    expect(await ask({ authorization: 'Bearer x' })).toContain('Unknown token');
    expect(await ask({})).toContain('has no token');
  });

  test('a route without an access rule cannot be registered', () => {
    const app = fastify();
    guardRoutes(app, server.deps);
    expect(() => app.get('/secret', async () => 'secret')).toThrow(/has no access rule/);
  });

  test.each([
    '/api/v1/pipelines/table/1/../../../../internal/v1/facts',
    '/api/v1/pipelines;/internal/v1/facts',
    '/api/v1/blobs/..%2f..%2finternal%2fv1%2ffacts',
    '//internal/v1/facts',
    '/INTERNAL/v1/facts',
    '/internal/v1/facts/',
    '/%69nternal/v1/facts',
    '/internal%2fv1/facts',
    '/api/v1/../../internal/v1/facts',
  ])('the path %s opens nothing', async (url) => {
    for (const headers of [{}, bearer(TOKENS.operator)]) {
      const answer = await server.app.inject({ url, headers });
      expect(answer.statusCode, answer.body).toBeGreaterThanOrEqual(400);
      expect(answer.body).not.toContain('the-installation');
    }
  });

  test('a page of another origin is refused, the own one is not', async () => {
    const ask = (origin: string) =>
      server.app.inject({
        url: '/api/v1/workers',
        headers: { ...bearer(TOKENS.reader), host: 'ci.test', origin },
      });
    expect((await ask('http://evil.test')).statusCode).toBe(403);
    expect((await ask('null')).statusCode).toBe(403);
    expect((await ask('http://ci.test')).statusCode).toBe(200);
  });
});

describe('tokens', () => {
  test('are taken from one well-formed header only', () => {
    expect(bearerOf('Bearer abcdefgh12345')).toBe('abcdefgh12345');
    for (const bad of [
      undefined,
      '',
      'Bearer',
      'Bearer ',
      'Bearer short',
      'Basic abcdefgh12345',
      'Bearer a b c d e f',
      'Bearer abcdefgh\n',
    ])
      expect(bearerOf(bad)).toBeUndefined();
  });

  test('the CLI token is an operator named after its owner; workers are not users, users are not workers', () => {
    const tokens = knownTokens({ users: [], cliToken: TOKENS.cli, workerToken: TOKENS.worker, owner: 'ada' });
    expect(tokens.user(TOKENS.cli)).toEqual({ name: 'ada', role: 'operator', local: true });
    expect(tokens.user(TOKENS.worker)).toBeUndefined();
    expect(tokens.worker(TOKENS.cli)).toBeUndefined();
    expect(tokens.user('')).toBeUndefined();
  });
});

describe('every answer', () => {
  test('has the headers that prevent data from being run, framed or cached', async () => {
    for (const url of ['/', '/healthz', '/nothing', '/api/v1/workers']) {
      const { headers } = await server.app.inject({ url });
      expect(headers['x-content-type-options'], url).toBe('nosniff');
      expect(headers['content-security-policy']).toContain("default-src 'none'");
      expect(headers['cache-control']).toBe('no-store');
    }
  });

  test('an unknown route and an unknown error reveal no internals', async () => {
    const nothing = await server.app.inject({ url: '/etc/passwd' });
    expect([nothing.statusCode, nothing.json().error.code]).toEqual([404, 'not-found']);
    server.workflows.failure = new Error('password=hunter2 at /var/lib/davit');
    const failed = await server.app.inject({ url: '/api/v1/pipelines', headers: bearer(TOKENS.reader) });
    server.workflows.failure = undefined;
    expect([failed.statusCode, failed.json().error.code]).toEqual([500, 'internal/defect']);
    expect(failed.body).not.toMatch(/hunter2|var\/lib|\.ts/);
    expect(server.logged()).toContain(failed.json().error.message.match(/\(([0-9a-f]{8})\)/)[1]);
  });

  test('no token, no signature and no body is ever logged', async () => {
    const canary = 'canary-7f3a9b2c';
    await server.app.inject({
      method: 'POST',
      url: `/webhooks/github/table?token=${canary}`,
      headers: {
        'x-hub-signature-256': `sha256=${canary}`,
        authorization: `Bearer ${canary}`,
        cookie: canary,
      },
      payload: { canary },
    });
    await server.app.inject({ url: `/api/v1/pipelines?project=${canary}`, headers: bearer(canary) });
    server.workflows.failure = new Error(`the token ${TOKENS.developer} was refused`);
    await server.app.inject({ url: '/api/v1/pipelines', headers: bearer(TOKENS.developer) });
    server.workflows.failure = undefined;
    await server.app.inject({
      method: 'POST',
      url: '/api/v1/projects/table/pipelines',
      headers: bearer(TOKENS.developer),
      payload: { key: canary, variables: { SECRET: canary } },
    });
    const log = server.logged();
    expect(log).toContain('was refused');
    expect(log).not.toContain(canary);
    for (const token of Object.values(TOKENS)) expect(log).not.toContain(token);
  });
});
