import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { FleetView } from '../../../src/server/api.ts';
import { WorkerFleet, type Reported } from '../../../src/server/workers/fleet.ts';
import { FleetBook } from '../../../src/server/workers/fleet-book.ts';
import { sha256 } from '../../../src/utils/sha256.ts';
import { bearer, job, pipeline, testServer, TOKENS, type TestServer } from '../../support/server.ts';

const PI = 'table-pi-token-0123456789';
let server: TestServer;
beforeEach(async () => {
  server = await testServer({ workers: [{ name: 'table-pi', token_sha256: sha256(PI) }] });
});
afterEach(() => server.close());

const report = (more: Partial<Reported> = {}): Reported => ({
  id: 'davit/h1/arm32/table/7',
  hostId: 'h1',
  hostName: 'table',
  arches: ['arm32'],
  emulated: [],
  tags: ['arm32', 'gpio'],
  targets: [],
  deviceTags: [],
  slots: 2,
  version: '1.0.0',
  ...more,
});
const tell = (more: Partial<Reported> = {}, token: string = PI) =>
  server.app.inject({
    method: 'POST',
    url: '/internal/v1/workers',
    headers: bearer(token),
    payload: report(more),
  });
const view = async (token: string = TOKENS.operator): Promise<FleetView> =>
  (await server.app.inject({ method: 'GET', url: '/api/v1/fleet', headers: bearer(token) })).json();
const post = (path: string, payload: object, token: string = TOKENS.operator) =>
  server.app.inject({ method: 'POST', url: `/api/v1/fleet/${path}`, headers: bearer(token), payload });
const states = async () => (await view()).machines.map(({ name, state }) => [name, state]);

test('a machine is known by its token before its worker has reported, and after it has ended', async () => {
  expect(await states()).toEqual([['table-pi', 'never seen']]);
  await tell({ running: [{ pipeline: 'shop/1', job: 'test', attempt: 1 }] });
  expect((await view()).machines).toMatchObject([
    {
      name: 'table-pi',
      state: 'ready',
      hasToken: true,
      report: { token: 'table-pi', running: [{ job: 'test' }] },
    },
  ]);
  await server.app.inject({
    method: 'POST',
    url: '/internal/v1/workers/leave',
    headers: bearer(PI),
    payload: { id: report().id },
  });
  expect((await view()).machines).toMatchObject([
    { name: 'table-pi', state: 'gone', seen: { hostName: 'table', tags: ['arm32', 'gpio'] } },
  ]);
});

test('what a worker says of itself does not give it the name of another', async () => {
  await tell({ name: 'other' });
  await tell({ id: 'b', name: 'table-pi/left' });
  await tell({ id: 'c', name: 'chosen' }, TOKENS.control);
  expect((await states()).map(([name]) => name)).toEqual(['chosen', 'table-pi', 'table-pi/left']);
});

test('draining is told with each report, and survives a restart of the server', async () => {
  expect((await tell()).json()).toEqual({});
  expect((await post('drain', { name: 'nobody' })).json()).toMatchObject({
    error: { code: 'not-found', hint: expect.stringContaining('table-pi') },
  });
  expect((await post('drain', { name: 'table-pi' })).json()).toEqual({
    name: 'table-pi',
    draining: true,
    running: [],
  });
  expect(await states()).toEqual([['table-pi', 'draining']]);
  expect((await tell()).json()).toEqual({ draining: true });
  const again = new WorkerFleet(await FleetBook.open(server.stores.records));
  expect(await again.report(report(), 'table-pi')).toEqual({ draining: true });
  await post('drain', { name: 'table-pi', off: true });
  expect((await tell()).json()).toEqual({});
  expect(await states()).toEqual([['table-pi', 'ready']]);
});

test('a machine that runs jobs is removed only by force, with its tokens', async () => {
  const made = await server.deps.workerTokens.create(
    { name: 'board', forks: false, protected_only: false },
    'me',
  );
  await tell({ running: [{ pipeline: 'shop/1', job: 'test', attempt: 1 }] }, made.token);
  expect((await post('remove', { name: 'board' })).json()).toMatchObject({
    error: { code: 'worker/busy', message: 'board runs test of shop/1.' },
  });
  expect((await post('remove', { name: 'board', force: true })).json()).toEqual({
    revoked: 1,
    hostNames: ['table'],
  });
  expect(await states()).toEqual([['table-pi', 'never seen']]);
  expect((await tell({}, made.token)).statusCode).toBe(401);
});

test('calls with a wrong token are counted by address, those with an expired one by name', async () => {
  const made = await server.deps.workerTokens.create(
    { name: 'board', forks: false, protected_only: false, until: Date.now() - 1 },
    'me',
  );
  await tell({}, 'a-wrong-token-0123456789');
  await tell({}, 'another-wrong-token-0123456789');
  expect((await tell({}, made.token)).json()).toMatchObject({
    error: { code: 'auth/expired', hint: expect.stringContaining('davit worker token create board') },
  });
  expect((await view()).refused).toMatchObject([
    { why: 'expired', name: 'board', times: 1, from: '127.0.0.1' },
    { why: 'unknown', times: 2, from: '127.0.0.1' },
  ]);
  expect((await view(TOKENS.reader)).refused).toEqual([]);
});

test('a worker that could not start is shown and gets no jobs; its next process replaces it', async () => {
  const address = 'ssh://pi@table';
  const failed = { code: 'worker/arch', message: 'It is amd64.' };
  await tell({ id: 'davit//arm32/head/7', hostId: '', hostName: address, failed });
  expect(await states()).toEqual([['table-pi', 'failed']]);
  expect(await server.deps.fleet.live()).toEqual([]);
  const engine = { id: 'e', address, kind: 'docker', version: '28.0.0', arch: 'arm32' } as const;
  await tell({ id: 'davit/h1/arm32/head/8', startedAt: 5, engine });
  expect(await states()).toEqual([['table-pi', 'ready']]);
  await tell({ id: 'davit/h1/arm32/head/9', startedAt: 6, engine });
  expect((await view()).machines).toHaveLength(1);
});

test('a token ends by itself at its time', async () => {
  const url = '/api/v1/worker-tokens';
  const payload = { name: 'board', expiresInMs: 1_000 };
  const { token } = (
    await server.app.inject({ method: 'POST', url, headers: bearer(TOKENS.operator), payload })
  ).json();
  expect((await tell({}, token)).statusCode).toBe(200);
  const [listed] = (await server.app.inject({ url, headers: bearer(TOKENS.operator) })).json();
  vi.setSystemTime(listed.until);
  try {
    expect((await tell({}, token)).json()).toMatchObject({ error: { code: 'auth/expired' } });
  } finally {
    vi.useRealTimers();
  }
});

test('a copy that waits for the word of the first replaces it no sooner, nor does a worker of another address', async () => {
  const engine = (address: string) =>
    ({ id: 'e', address, kind: 'docker', version: '28.0.0', arch: 'arm32' }) as const;
  const first = { startedAt: 1, engine: engine('unix:///x'), marks: { own: 'a', seen: ['a'], way: '1' } };
  const copy = { startedAt: 2, engine: engine('unix:///x'), marks: { own: 'b', seen: ['b', 'a'], way: '2' } };
  expect((await tell({ id: 'davit/h1/arm32/pi/7', ...first })).json()).toEqual({});
  for (let round = 0; round < 3; round++)
    expect((await tell({ id: 'davit/h1/arm32/pi/8', ...copy })).json()).toEqual({ undecided: true });
  expect((await view()).machines).toHaveLength(2);
  await tell({ id: 'davit/h1/arm32/pi/9', startedAt: 3, engine: engine('ssh://x') });
  expect((await view()).machines).toHaveLength(3);
});

test('checks are asked for with the next report', async () => {
  await tell();
  const { since } = (await post('checks', {})).json();
  expect((await tell()).json()).toEqual({ checksSince: since });
  expect((await post('checks', {}, TOKENS.developer)).statusCode).toBe(403);
});

test('a pipeline that waits says why no worker takes its job', async () => {
  const waiting = job('test', {
    phase: 'dispatched',
    queue: 'tag-gpio',
    waitingFor: 'queue:tag-gpio',
    tags: ['gpio'],
  });
  server.workflows.open.set('table/1', pipeline('table/1', { jobs: [waiting] }));
  const noteOf = async (): Promise<unknown> => {
    await new Promise((resolve) => setTimeout(resolve, 2 * server.deps.limits.statusMs));
    const url = '/api/v1/pipelines/table/1';
    return (await server.app.inject({ url, headers: bearer(TOKENS.reader) })).json().jobs[0].waitNote;
  };
  expect(await noteOf()).toBe('none is there');
  await tell();
  expect(await noteOf()).toBeUndefined();
  await post('drain', { name: 'table-pi' });
  expect(await noteOf()).toBe('table-pi is draining');
});

test('marks stay with the server', async () => {
  await tell({ marks: { own: 'secret-mark', seen: ['secret-mark'], way: 'w' } });
  const shown = JSON.stringify([await view(), await server.deps.fleet.live()]);
  expect(shown).not.toContain('secret-mark');
});
