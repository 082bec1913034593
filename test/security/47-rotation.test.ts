/** Row 47: tokens of workers and the keys of the server are replaced and revoked while jobs run. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { httpStores, type HttpStores } from '../../src/adapters/http/index.ts';
import { readToken } from '../../src/adapters/http/token-source.ts';
import { rotateKeyFile } from '../../src/adapters/keys/key-ring.ts';
import { deriveSealKey, localSecrets, readingSecrets } from '../../src/adapters/secrets/index.ts';
import type { AttemptPorts, Secrets } from '../../src/adapters/ports.ts';
import { attemptOf, identityOf, mint, take } from '../support/attempts.ts';
import { bearer, testServer, TOKENS, type TestServer } from '../support/server.ts';

const REF = attemptOf('alpha/1', 'unit');
const none = (): never => {
  throw new Error('The server seals.');
};
const local: Secrets = { ...readingSecrets(() => undefined), seal: none, unseal: none };

let server: TestServer;
let url: string;
let file: string;
const open: HttpStores[] = [];
beforeEach(async () => {
  server = await testServer({ projects: [{ name: 'alpha' }] });
  url = await server.app.listen({ host: '127.0.0.1', port: 0 });
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((stores) => stores.close()));
  await server.close();
});

const api = async (
  path: string,
  payload: object,
): Promise<{ token: string; id: string; revoked: number }> => {
  const answer = await server.app.inject({
    method: 'POST',
    url: `/api/v1/worker-tokens${path}`,
    headers: bearer(TOKENS.operator),
    payload,
  });
  return answer.json();
};
/** The ports of the attempt, on a worker whose token file has the content of `file`. */
function worker(name: string | undefined, secrets = local): AttemptPorts {
  const stores = httpStores({ url, workerToken: readToken(async () => file), patienceMs: 0 });
  open.push(stores);
  const of = { ref: REF, activityId: 'unit/1/1', runId: 'the-run', identity: identityOf(name) };
  return stores.attempt(of, secrets);
}
const append = async ({ logs }: AttemptPorts): Promise<number> => {
  const { offset } = await logs.open(REF, 1);
  return (await logs.append(REF, { epoch: 1, offset, bytes: Buffer.from('x') })).offset;
};

test('a token is replaced while a job runs: nothing is lost, and the former one opens nothing', async () => {
  const first = await api('', { name: 'board' });
  file = first.token;
  take(server, REF, { worker: 'board' });
  const attempt = worker('board');
  expect(await append(attempt)).toBe(1);
  const second = await api('', { name: 'board' });
  file = second.token;
  expect(await api('/revoke', { name: 'board', id: first.id })).toEqual({ revoked: 1 });
  expect(await append(attempt)).toBe(2);
  expect((await mint(server, first.token, REF, { worker: 'board' })).status).toBe(401);
});

test('a revoked token ends at once, and so do the tokens of attempts that it was given', async () => {
  const { token } = await api('', { name: 'board' });
  file = token;
  take(server, REF, { worker: 'board' });
  const attempt = worker('board');
  await append(attempt);
  const minted = await mint(server, token, REF, { worker: 'board' });
  await api('/revoke', { name: 'board' });
  await expect(append(attempt)).rejects.toMatchObject({ code: 'auth/missing' });
  const state = { method: 'POST', url: '/internal/v1/logs/state', payload: { ref: REF } } as const;
  expect((await server.app.inject({ ...state, headers: bearer(minted.token) })).json().error.code).toBe(
    'auth/expired',
  );
  expect((await server.app.inject({ url: '/internal/v1/facts', headers: bearer(token) })).statusCode).toBe(
    401,
  );
});

test('the shared token works until it is turned off', async () => {
  file = TOKENS.worker;
  take(server, REF, { worker: undefined });
  const attempt = worker(undefined);
  expect(await append(attempt)).toBe(1);
  await api('/revoke', { name: 'shared' });
  await expect(append(attempt)).rejects.toMatchObject({ code: 'auth/missing' });
  file = TOKENS.control;
  expect(await append(attempt)).toBe(2);
});

test('a key is replaced while a job runs: what the former one sealed opens, and tokens stay valid', async () => {
  file = TOKENS.control;
  take(server, REF, { worker: undefined });
  const attempt = worker(undefined);
  await append(attempt);
  const sealed = await attempt.secrets.seal(Buffer.from('hidden'));
  rotateKeyFile(`${server.folder}/keys`);
  expect(await append(attempt)).toBe(2);
  expect(Buffer.from(await attempt.secrets.unseal(sealed)).toString()).toBe('hidden');
  const again = await attempt.secrets.seal(Buffer.from('hidden'));
  expect(Buffer.from(again).subarray(1, 5)).not.toEqual(Buffer.from(sealed).subarray(1, 5));
});

test('what a worker of an earlier version has sealed is opened after its upgrade', async () => {
  file = TOKENS.control;
  take(server, REF, { worker: undefined });
  const former = localSecrets({ sealKey: deriveSealKey(TOKENS.worker), readEnv: () => undefined });
  const sealed = former.seal(Buffer.from('hidden'));
  // Its new token derives another key; the server still has the former token.
  const now = localSecrets({ sealKey: deriveSealKey(TOKENS.control), readEnv: () => undefined });
  const opened = await worker(undefined, now).secrets.unseal(sealed);
  expect(Buffer.from(opened).toString()).toBe('hidden');
});

test('only operators make, see and revoke tokens; a name that is taken by the shared one is refused', async () => {
  expect(
    (await server.app.inject({ url: '/api/v1/worker-tokens', headers: bearer(TOKENS.developer) })).statusCode,
  ).toBe(403);
  expect(await api('', { name: 'shared' })).toMatchObject({ error: { code: 'usage/invalid' } });
  const { token, id } = await api('', { name: 'board', projects: ['alpha'], protected_only: true });
  const list = await server.app.inject({ url: '/api/v1/worker-tokens', headers: bearer(TOKENS.operator) });
  expect(list.json()).toMatchObject([
    { name: 'board', id, projects: ['alpha'], protected_only: true },
    { name: 'shared' },
  ]);
  expect(list.body).not.toContain(token);
  expect(server.logged()).not.toContain(token);
});
