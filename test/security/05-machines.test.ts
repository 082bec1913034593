/** Rows 5, 47: a machine with a token of its own gets no attempt beyond its limits, whatever its worker asks for. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeRunJob } from '../../activities/job/run-job.ts';
import { httpStores } from '../../src/adapters/http/index.ts';
import { DavitError } from '../../src/errors.ts';
import { FAILURE_TYPES } from '../../src/plan/model/outcome.ts';
import { sha256 } from '../../src/utils/sha256.ts';
import { attemptOf, identityOf, mint, take } from '../support/attempts.ts';
import { bearer, testServer, TOKENS, type TestServer } from '../support/server.ts';
import { asActivity, digest, runInput } from '../unit/activities/fakes.ts';

const OWN = 'a-token-of-the-board-0123';
const PUBLIC = 'a-token-for-forks-0123456';
let server: TestServer;
beforeAll(async () => {
  server = await testServer({
    projects: [
      { name: 'shop' },
      { name: 'bank', variables: { PLAIN: 'of the bank', KEY: { secret: 'env:BANK' } } },
    ],
    workers: [
      { name: 'board', token_sha256: sha256(OWN), projects: ['shop'], protected_only: true },
      { name: 'public', token_sha256: sha256(PUBLIC), forks: true },
    ],
  });
});
afterAll(() => server.close());

const ask = async (token: string, url: string, payload?: object): Promise<number> => {
  const method = payload ? 'POST' : 'GET';
  const answer = await server.app.inject({
    method,
    url: `/internal/v1${url}`,
    headers: bearer(token),
    ...(payload && { payload }),
  });
  return answer.statusCode;
};

test.each([
  ['shop/1', { protected: true as const }, 'ok', 'ok'],
  ['shop/2', {}, 'worker/scope', 'ok'],
  ['shop/3', { fork: true as const }, 'worker/scope', 'ok'],
  ['bank/4', { protected: true as const }, 'worker/scope', 'ok'],
] as const)('an attempt of %s, %o: %s', async (id, status, board, open) => {
  const ref = attemptOf(id, 'unit');
  for (const [worker, token, code] of [
    ['board', OWN, board],
    ['public', PUBLIC, open],
    [undefined, TOKENS.worker, 'ok'],
  ] as const) {
    take(server, ref, { worker, status });
    expect([worker, (await mint(server, token, ref, { worker })).code ?? 'ok']).toEqual([worker, code]);
  }
});

test('without an attempt it reads and writes nothing of a job', async () => {
  const stored = await server.stores.blobs.putBytes(Buffer.from('bytes'));
  const ref = { pipeline: 'shop/1', job: 'unit', attempt: 1 };
  const body = { name: 'caches/shop/protected/a', value: 1 };
  for (const [url, payload] of [
    [`/blobs/${stored}`, undefined],
    ['/records/get', body],
    ['/records/put', body],
    ['/logs/open', { ref, epoch: 1 }],
    ['/logs/state', { ref }],
  ] as const) {
    expect([url, await ask(OWN, url, payload)]).toEqual([url, 503]);
    // Workers of earlier versions have nothing but the token that they share.
    expect([url, await ask(TOKENS.worker, url, payload)]).toEqual([url, 200]);
  }
  for (const [url, payload] of [
    ['/records/put-if-absent', body],
    ['/records/list', { prefix: 'masks', limit: 5 }],
    ['/records/allocate', { counter: 'jobs', claim: 'x', count: 1 }],
    ['/workers', undefined],
    ['/protection/shop', undefined],
  ] as const)
    expect([url, await ask(OWN, url, payload)]).toEqual([url, 403]);
});

test('facts have no other project', async () => {
  const of = async (token: string): Promise<string> =>
    (await server.app.inject({ url: '/internal/v1/facts', headers: bearer(token) })).body;
  expect(await of(OWN)).not.toContain('bank');
  expect(await of(TOKENS.worker)).toContain('of the bank');
  for (const token of [OWN, TOKENS.worker]) expect(await of(token)).not.toContain(sha256(OWN));
});

test('a token of a machine opens no route of people, and an unknown one nothing', async () => {
  expect((await server.app.inject({ url: '/api/v1/pipelines', headers: bearer(OWN) })).statusCode).toBe(401);
  expect(await ask('an-unknown-token-0123456', '/facts')).toBe(401);
});

test('a worker that takes jobs of forks is known as one', async () => {
  const { id, hostId, hostName, version } = { id: 'w', hostId: 'h', hostName: 'n', version: '1' };
  const lists = { arches: [], emulated: [], tags: [], targets: [], deviceTags: [] };
  const report = { id, hostId, hostName, version, ...lists, slots: 1, forks: true };
  expect(await ask(PUBLIC, '/workers', report)).toBe(200);
  expect(await server.deps.fleet.live()).toMatchObject([{ forks: true }]);
});

test('a worker hears the reason, from its own token and from that of an attempt', async () => {
  const url = await server.app.listen({ host: '127.0.0.1', port: 0 });
  const stores = httpStores({ url, workerToken: OWN, patienceMs: 0 });
  try {
    const ref = attemptOf('shop/9', 'unit');
    take(server, ref, { worker: 'board' });
    const of = { ref, activityId: 'unit/1/1', runId: 'the-run', identity: identityOf('board') };
    const digest = `sha256:${'0'.repeat(64)}` as const;
    await expect(stores.attempt(of, {} as never).blobs.getBytes(digest)).rejects.toMatchObject({
      code: 'worker/scope',
    });
    await expect(stores.blobs.getBytes(digest)).rejects.toMatchObject({ code: 'worker/outdated' });
  } finally {
    await stores.close();
  }
});

test('what a worker is refused goes back to its queue', async () => {
  const error = new DavitError('worker/scope', 'The worker board is refused: no.');
  const refused = async (): Promise<never> => Promise.reject(error);
  const run = makeRunJob({
    blobs: { getBytes: refused },
    logs: { open: refused },
    facts: server.deps.facts(),
    worker: { tags: [], hostId: 'h' },
    stopping: new AbortController().signal,
    now: () => 0,
  } as never);
  await expect(asActivity(run, runInput(digest('a')))).rejects.toMatchObject({
    type: FAILURE_TYPES.requeue,
    message: expect.stringContaining('The worker board is refused'),
  });
});
