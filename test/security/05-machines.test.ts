/** Rows 5, 47: a machine with a token of its own gets nothing beyond its limits, whatever its worker asks for. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeRunJob } from '../../activities/job/run-job.ts';
import { httpStores } from '../../src/adapters/http/index.ts';
import { encodeFrame, FRAME_TYPE } from '../../src/adapters/http/wire.ts';
import { DavitError } from '../../src/errors.ts';
import { FAILURE_TYPES } from '../../src/plan/model/outcome.ts';
import { sha256 } from '../../src/utils/sha256.ts';
import { bearer, pipeline, testServer, TOKENS, type TestServer } from '../support/server.ts';
import { asActivity, common, digest, json, runInput } from '../unit/activities/fakes.ts';

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

const digestOf = async (content: unknown): Promise<string> => {
  const bytes = content instanceof Uint8Array ? content : json(content);
  return server.stores.blobs.putBytes(bytes);
};
const ask = async (token: string, url: string, payload?: object): Promise<number> => {
  const method = payload ? 'POST' : 'GET';
  const answer = await server.app.inject({
    method,
    url: `/internal/v1${url}`,
    headers: bearer(token),
    ...(payload && { payload }),
  });
  if (answer.statusCode === 403) expect(answer.json().error.code).toBe('worker/scope');
  return answer.statusCode;
};
const spec = (more: object) => ({
  ...common,
  kind: 'script',
  project: 'shop',
  protectedRef: true,
  fork: false,
  ...more,
});

describe('a spec, which names the secrets of its job', () => {
  test.each([
    ['of its project and a protected ref', {}, 200, 200],
    ['of another project', { project: 'bank' }, 403, 200],
    ['of an unprotected ref', { protectedRef: false }, 403, 200],
    ['of a fork', { protectedRef: false, fork: true }, 403, 200],
  ])('%s', async (_what, more, board, open) => {
    const stored = await digestOf(spec(more));
    expect(await ask(OWN, `/blobs/${stored}`)).toBe(board);
    expect(await ask(PUBLIC, `/blobs/${stored}`)).toBe(open);
    expect(await ask(TOKENS.worker, `/blobs/${stored}`)).toBe(200);
  });
  test('is not found out by another form', async () => {
    const plan = await digestOf({ version: 1, jobs: [spec({ project: 'bank' })] });
    expect(await ask(OWN, `/blobs/${plan}`)).toBe(403);
    const tar = await digestOf(Buffer.from('{a}.txt\0\0 is a tar'));
    const answer = await server.app.inject({ url: `/internal/v1/blobs/${tar}`, headers: bearer(OWN) });
    expect([answer.statusCode, answer.body]).toEqual([200, '{a}.txt\0\0 is a tar']);
  });
});

test.each([
  ['get', 'caches/shop/protected/a', 200],
  ['get', 'caches/bank/protected/a', 403],
  ['put', 'caches/bank/protected/a', 403],
  ['put', 'given/bank/protected/a/1', 403],
  ['get', 'masks/one-attempt', 200],
  ['put', 'pipelines/shop/00000001', 403],
  ['get', 'deploys/prod/a', 403],
  ['put-if-absent', 'claims/shop/a', 403],
])('%s of the record %s: %i', async (how, name, code) => {
  expect(await ask(OWN, `/records/${how}`, { name, value: 1 })).toBe(code);
  expect(await ask(TOKENS.worker, `/records/${how}`, { name, value: 1 })).toBe(200);
});
test('records are neither listed nor counted', async () => {
  expect(await ask(OWN, '/records/list', { prefix: 'masks', limit: 5 })).toBe(403);
  expect(await ask(OWN, '/records/allocate', { counter: 'jobs', claim: 'x', count: 1 })).toBe(403);
});

test.each([
  ['shop/1', { protected: true }, 200, 200],
  ['shop/2', {}, 403, 200],
  ['shop/3', { fork: true }, 403, 200],
  ['bank/4', { protected: true }, 403, 200],
  ['shop/5', undefined, 404, 200],
] as const)('the log of %s, %o: %i', async (id, more, board, open) => {
  if (more) server.workflows.open.set(id, pipeline(id, { project: id.split('/')[0], ...more }));
  const ref = { pipeline: id, job: 'j', attempt: 1 };
  expect(await ask(OWN, '/logs/open', { ref, epoch: 1 })).toBe(board);
  for (const [path, body] of Object.entries({
    end: { ref, epoch: 1, summary: { bytes: 0, crc: '00000000', complete: true } },
    state: { ref },
    read: { ref, offset: 0, limit: 10 },
  }))
    expect([path, (await ask(OWN, `/logs/${path}`, body)) >= 400]).toEqual([path, board !== 200]);
  await ask(TOKENS.worker, '/logs/open', { ref: { ...ref, attempt: 2 }, epoch: 1 });
  const append = await server.app.inject({
    method: 'POST',
    url: '/internal/v1/logs/append',
    headers: { ...bearer(OWN), 'content-type': FRAME_TYPE },
    payload: encodeFrame({ ref: { ...ref, attempt: 2 }, epoch: 1, offset: 0 }, Buffer.from('x')),
  });
  expect(append.statusCode).toBe(board);
  expect(await ask(PUBLIC, '/logs/state', { ref })).toBe(open);
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

test('a worker hears the reason', async () => {
  const url = await server.app.listen({ host: '127.0.0.1', port: 0 });
  const stores = httpStores({ url, workerToken: OWN });
  try {
    const other = await digestOf(spec({ project: 'bank' }));
    await expect(stores.blobs.getBytes(other as never, 1_000_000)).rejects.toMatchObject({
      code: 'worker/scope',
    });
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
