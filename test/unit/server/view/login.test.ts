/** Sessions of browsers: begin, bounds, end. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { knownTokens } from '../../../../src/server/auth.ts';
import { Guesses } from '../../../../src/server/view/guesses.ts';
import { openSessions, SESSION_MS } from '../../../../src/server/view/session.ts';
import { localPath } from '../../../../src/server/view/visitor.ts';
import { sha256 } from '../../../../src/utils/sha256.ts';
import { bearer, pipeline, testServer, TOKENS, type TestServer } from '../../../support/server.ts';

let server: TestServer;
beforeEach(async () => {
  server = await testServer({ projects: [{ name: 'closed' }] });
  server.workflows.open.set('closed/4', pipeline('closed/4', { project: 'closed', title: 'inside' }));
});
afterEach(() => server.close());

const post = (
  url: string,
  fields: Record<string, string>,
  headers: Record<string, string> = {},
  remoteAddress = '192.0.2.1',
) =>
  server.app.inject({
    method: 'POST',
    url,
    remoteAddress,
    payload: new URLSearchParams(fields).toString(),
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      host: 'ci.test',
      origin: 'http://ci.test',
      ...headers,
    },
  });
const cookieOf = (answer: { headers: Record<string, unknown> }): string =>
  [answer.headers['set-cookie']]
    .flat()
    .map(String)
    .find((one) => !one.includes('Max-Age=0')) ?? '';
const login = async (token: string): Promise<string> =>
  cookieOf(await post('/login', { token, to: '/pipelines/closed/4' })).split(';')[0] ?? '';
const see = async (cookie: string): Promise<number> =>
  (await server.app.inject({ url: '/pipelines/closed/4', headers: { cookie } })).statusCode;

describe('a login', () => {
  test('gives a session that opens the page, and leads to it', async () => {
    const answer = await post('/login', { token: TOKENS.reader, to: '/pipelines/closed/4' });
    expect([answer.statusCode, answer.headers.location]).toEqual([303, '/pipelines/closed/4']);
    const cookie = cookieOf(answer);
    expect(cookie).toMatch(/^davit=v1\.[\w.-]+; Path=\/; HttpOnly; SameSite=Lax; Max-Age=604800$/);
    expect(cookie).not.toContain(TOKENS.reader);
    expect(cookie).not.toContain(sha256(TOKENS.reader).slice(0, 12));
    expect(await see(cookie.split(';')[0] ?? '')).toBe(200);
    expect(server.logged()).not.toContain(cookie.split(/[=;]/)[1]);
  });
  test.each([{ origin: 'https://ci.test' }])('over TLS the cookie is for TLS alone: %o', async (headers) => {
    const cookie = cookieOf(await post('/login', { token: TOKENS.reader }, headers));
    expect(cookie).toMatch(/^__Host-davit=.*; Path=\/; HttpOnly; SameSite=Lax; Max-Age=604800; Secure$/);
    expect(await see(cookie.split(';')[0] ?? '')).toBe(200);
  });
  test('with an unknown token, or that of a worker, is refused', async () => {
    for (const token of ['no-such-token-1234', TOKENS.worker, TOKENS.control]) {
      const answer = await post('/login', { token, to: '/pipelines/closed/4' });
      expect([answer.statusCode, answer.headers['set-cookie']]).toEqual([401, undefined]);
      expect(answer.body).toContain('davit does not know this token.');
      expect(answer.body).not.toContain(token);
    }
  });
  test.each<Record<string, string>>([
    { origin: 'http://evil.test' },
    { origin: 'null' },
    { origin: 'http://ci.test:81' },
  ])('from a form of another page is refused: %o', async (headers) => {
    const answer = await post('/login', { token: TOKENS.reader }, headers);
    expect([answer.statusCode, answer.headers['set-cookie']]).toEqual([403, undefined]);
  });
  test('says by its page from where it comes, if not by its origin', async () => {
    const ask = async (site: string) =>
      (
        await server.app.inject({
          method: 'POST',
          url: '/login',
          payload: `token=${TOKENS.reader}`,
          headers: { 'content-type': 'application/x-www-form-urlencoded', 'sec-fetch-site': site },
        })
      ).statusCode;
    expect([await ask('same-origin'), await ask('cross-site'), await ask('same-site')]).toEqual([
      303, 403, 403,
    ]);
  });
  test('does not take the token from the address, nor forms elsewhere', async () => {
    expect(
      (await server.app.inject({ method: 'POST', url: `/login?token=${TOKENS.reader}` })).statusCode,
    ).toBe(400);
    const other = await post(
      '/api/v1/collection',
      { dryRun: 'true' },
      { authorization: `Bearer ${TOKENS.operator}` },
    );
    expect(other.statusCode).toBe(400);
  });
  test('is refused after many unknown tokens from one network, also with a right one', async () => {
    for (let count = 0; count < 10; count += 1)
      expect((await post('/login', { token: `guess-${count}` })).statusCode).toBe(401);
    expect((await post('/login', { token: TOKENS.reader })).statusCode).toBe(429);
    expect((await post('/login', { token: TOKENS.reader }, {}, '192.0.2.2')).statusCode).toBe(303);
  });
  test('is in the audit trail with its user, and without the token', async () => {
    await post('/login', { token: TOKENS.reader });
    const entries = await server.stores.audit.read({ kinds: ['people'], limit: 10 });
    expect(JSON.stringify(entries)).toContain('session.begin');
    expect(JSON.stringify(entries)).toContain('the reader');
    expect(JSON.stringify(entries)).not.toContain(TOKENS.reader);
  });
});

describe('a session', () => {
  test('ends with the logout, also for who has copied the cookie', async () => {
    const cookie = await login(TOKENS.reader);
    const answer = await post('/logout', {}, { cookie });
    expect([answer.statusCode, answer.headers.location]).toEqual([303, '/']);
    expect([answer.headers['set-cookie']].flat()).toHaveLength(2);
    expect(await see(cookie)).toBe(401);
    const value = cookie.slice('davit='.length);
    expect((await openSessions(server.deps)).user(value)).toBeUndefined();
    const other = (await login(TOKENS.reader)).slice('davit='.length);
    expect((await openSessions(server.deps)).user(other)?.name).toBe('the reader');
  });
  test('that ends at the same time as others ends for good', async () => {
    const known = await openSessions(server.deps);
    const values = Array.from({ length: 5 }, () => known.begin(TOKENS.reader)?.value ?? '');
    await Promise.all(values.map((value) => known.end(value)));
    const later = await openSessions(server.deps);
    expect(values.map((value) => later.user(value))).toEqual(values.map(() => undefined));
  });
  test('that has ended is opened again by no worker', async () => {
    for (const token of [TOKENS.worker, TOKENS.control]) {
      const answer = await server.app.inject({
        method: 'POST',
        url: '/internal/v1/records/put',
        headers: bearer(token),
        payload: { name: 'sessions/ended', value: { ended: [] } },
      });
      expect(answer.statusCode).toBe(403);
    }
  });
  test('does not open the API', async () => {
    const cookie = await login(TOKENS.operator);
    expect((await server.app.inject({ url: '/api/v1/pipelines', headers: { cookie } })).statusCode).toBe(401);
  });
  test('of anything else is none', async () => {
    const cookie = await login(TOKENS.reader);
    for (const bad of [
      'davit=',
      'davit=v1',
      'davit=v1.a.b.c.d.e',
      `${cookie}x`,
      cookie.replace('v1', 'v2'),
      `davit=${TOKENS.reader}`,
      'x',
      '',
    ])
      expect(await see(bad), bad).toBe(401);
    expect(await see(`a=b; ${cookie}; c=d`)).toBe(200);
  });
  test('counts for its time, as long as the token counts, with the role of now', async () => {
    const users = [
      {
        name: 'ada',
        role: 'operator' as 'operator' | 'reader',
        token_sha256: sha256('ada-token-1234567890'),
      },
    ];
    const tokens = knownTokens({ users: () => users, cliToken: 'cli-token-1234567890', owner: 'me' });
    let now = 1_000;
    const { keys, records } = server.deps;
    const known = await openSessions({ keys, tokens, records }, () => now);
    const value = known.begin('ada-token-1234567890')?.value ?? '';
    expect(known.user(value)).toEqual({ name: 'ada', role: 'operator' });
    users[0] = { name: 'ada', role: 'reader', token_sha256: sha256('ada-token-1234567890') };
    expect(known.user(value)).toEqual({ name: 'ada', role: 'reader' });
    // After a restart too.
    const restarted = () => openSessions({ keys, tokens, records }, () => now);
    expect((await restarted()).user(value)?.name).toBe('ada');
    now += SESSION_MS - 1;
    expect(known.user(value)?.name).toBe('ada');
    now += 1;
    expect(known.user(value)).toBeUndefined();
    now = 1_000;
    users[0] = { name: 'ada', role: 'reader', token_sha256: sha256('another-token-1234567890') };
    expect(known.user(value)).toBeUndefined();
  });
  test('cannot be made longer, nor of another user', async () => {
    const known = await openSessions(server.deps);
    const [version, key, id, until, holder, mac] = (known.begin(TOKENS.reader)?.value ?? '').split('.');
    const other = (known.begin(TOKENS.operator)?.value ?? '').split('.')[4];
    expect(known.user([version, key, id, until, holder, mac].join('.'))?.name).toBe('the reader');
    expect(known.user([version, key, id, Number(until) + 1, holder, mac].join('.'))).toBeUndefined();
    expect(known.user([version, key, id, until, other, mac].join('.'))).toBeUndefined();
  });
});

test.each([
  ['/pipelines/a/1', '/pipelines/a/1'],
  ['/pipelines/a/1/jobs/x%2Fy?attempt=2#log', '/pipelines/a/1/jobs/x%2Fy?attempt=2#log'],
  ['//evil.test/', '/pipelines/'],
  ['/\\evil.test', '/pipelines/'],
  ['https://evil.test/', '/pipelines/'],
  ['javascript:alert(1)', '/pipelines/'],
  ['/\t/evil.test', '/pipelines/'],
  ['/x/..//evil.test', '/pipelines/'],
  ['/.//evil.test', '/pipelines/'],
  ['pipelines/', '/pipelines/'],
  ['', '/pipelines/'],
  [undefined, '/pipelines/'],
])('after a login %j leads to %s', (to, wanted) => {
  expect(localPath(to)).toBe(wanted);
});

test('guesses come back with time; networks of IPv6 and addresses of IPv4 are told apart', () => {
  let now = 0;
  const guesses = new Guesses(() => now);
  for (let count = 0; count < 10; count += 1) guesses.missed('2001:db8:0:1::7');
  expect(guesses.mayTry('2001:db8:0:1:ffff::1')).toBe(false);
  expect(guesses.mayTry('2001:db8:0:2::7')).toBe(true);
  now = 6_001;
  expect(guesses.mayTry('2001:db8:0:1::9')).toBe(true);
  for (let count = 0; count < 10; count += 1) guesses.missed('::ffff:192.0.2.1');
  expect([guesses.mayTry('::ffff:192.0.2.1'), guesses.mayTry('::ffff:192.0.2.2')]).toEqual([false, true]);
  for (let count = 0; count < 300; count += 1) guesses.missed(`192.0.2.${count}`);
  expect(guesses.mayTry('198.51.100.1')).toBe(false);
});
