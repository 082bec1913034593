import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DavitError } from '../../../src/errors.ts';
import type { PipelineId } from '../../../src/plan/model/ids.ts';
import type { Change, PipelineStatus } from '../../../src/plan/model/protocol.ts';
import type { PipelineRecord } from '../../../src/plan/model/records.ts';
import { claimName, pipelineRecordName, type PipelineEntry } from '../../../src/plan/model/records.ts';
import { withPending } from '../../../src/server/temporal/pending-activities.ts';
import { bearer, job, pipeline, testServer, TOKENS, type TestServer } from '../../support/server.ts';
import { sha256 } from '../../../src/utils/sha256.ts';

let server: TestServer;
beforeEach(async () => {
  server = await testServer({
    projects: [
      { name: 'table', clone_url: 'https://forge.test/g/table.git', start_protected: ['developer'] },
      { name: 'bare' },
    ],
  });
});
afterEach(() => server.close());

const get = (url: string, token: string = TOKENS.reader) =>
  server.app.inject({ url, headers: bearer(token) });
const post = (url: string, payload: object, token: string = TOKENS.developer) =>
  server.app.inject({ method: 'POST', url, headers: bearer(token), payload });

/** As a control worker passes it on. */
const told = (...changes: Change[]) => post('/internal/v1/changes', { changes }, TOKENS.worker);

async function keepRecord(status: PipelineStatus, plan?: object): Promise<void> {
  const planBlob = plan && (await server.stores.blobs.putBytes(Buffer.from(JSON.stringify(plan))));
  const record: PipelineRecord = {
    version: 1,
    status,
    plan: planBlob,
    trigger: {
      project: 'table',
      source: 'push',
      key: 'k',
      deliveryId: 'd',
      ref: 'main',
      refKind: 'branch',
      sha: status.sha,
      before: '0'.repeat(40),
      title: '',
      actor: 'a',
      fork: false,
      receivedAt: 1,
    },
  };
  const digest = await server.stores.blobs.putBytes(Buffer.from(JSON.stringify(record)));
  const { jobs: _jobs, warnings: _warnings, reason: _reason, ...summary } = status;
  const entry: PipelineEntry = { record: digest, summary };
  await server.stores.records.put(pipelineRecordName(status.id), entry);
}

describe('status', () => {
  test('of an open pipeline: its workflow, merged with what waits on a queue', async () => {
    server.workflows.open.set(
      'table/1',
      pipeline('table/1', {
        waitingFor: ['gate', 'queue:arm64'],
        jobs: [
          job('a', { phase: 'dispatched', queue: 'arm32', waitingFor: 'queue:arm32' }),
          job('b', { phase: 'dispatched', queue: 'arm64' }),
          job('c', { phase: 'gate', waitingFor: 'gate' }),
        ],
      }),
    );
    server.workflows.pending = [
      { activityId: 'a/1/1', started: true },
      { activityId: 'b/1/1', started: false },
    ];
    const status = (await get('/api/v1/pipelines/table/1')).json<PipelineStatus>();
    expect(status.jobs.map((one) => [one.key, one.phase, one.waitingFor])).toEqual([
      ['a', 'running', undefined],
      ['b', 'dispatched', 'queue:arm64'],
      ['c', 'gate', 'gate'],
    ]);
    expect(status.waitingFor).toEqual(['gate', 'queue:arm64']);
  });

  test('an activity of an earlier epoch does not describe the job now', () => {
    const status = pipeline('table/1', { jobs: [job('a', { phase: 'dispatched', epoch: 2 })] });
    const pending = [{ activityId: 'a/1/1', started: true }];
    expect(withPending(status, { pending, now: 0 }).jobs[0]?.phase).toBe('dispatched');
  });

  test('a job that was just dispatched is not shown as waiting', () => {
    const status = pipeline('table/1', { jobs: [job('a', { phase: 'dispatched', since: 10_000 })] });
    const pending = [{ activityId: 'a/1/1', started: false }];
    expect(withPending(status, { pending, now: 10_500 }).jobs[0]?.waitingFor).toBeUndefined();
    expect(withPending(status, { pending, now: 13_000 }).jobs[0]?.waitingFor).toMatch(/^queue:/);
  });

  test('of a closed pipeline: its record, also after retention; never while it runs again', async () => {
    await keepRecord(pipeline('table/2', { state: 'failed' }));
    expect((await get('/api/v1/pipelines/table/2')).json().state).toBe('failed');
    server.workflows.open.set('table/2', pipeline('table/2', { state: 'running' }));
    await expect.poll(async () => (await get('/api/v1/pipelines/table/2')).json().state).toBe('running');
    server.workflows.closed.set('table/3', pipeline('table/3', { state: 'success' }));
    expect((await get('/api/v1/pipelines/table/3')).json().state).toBe('success');
    expect((await get('/api/v1/pipelines/table/4')).statusCode).toBe(404);
    expect((await get('/api/v1/pipelines/TABLE/x')).json().error.code).toBe('usage/invalid');
  });

  test('a hundred watchers cause one query', async () => {
    server.deps.limits.statusMs = 1_000;
    server.workflows.open.set('table/1', pipeline('table/1'));
    await Promise.all(Array.from({ length: 100 }, () => get('/api/v1/pipelines/table/1')));
    expect(server.workflows.asked).toBe(1);
  });

  test('Temporal down is 503 with a message', async () => {
    server.workflows.failure = new DavitError('temporal/unreachable', 'No Temporal.');
    const answer = await get('/api/v1/pipelines/table/1');
    expect([answer.statusCode, answer.json().error.code]).toEqual([503, 'temporal/unreachable']);
    expect((await get('/healthz')).json()).toMatchObject({ ok: false, temporal: 'down' });
  });
});

describe('lists', () => {
  test('open ones, closed ones within retention and older ones, newest first', async () => {
    server.workflows.open.set('table/9', pipeline('table/9', { startedAt: 90 }));
    server.workflows.closed.set('table/8', pipeline('table/8', { startedAt: 80, state: 'success' }));
    await keepRecord(pipeline('table/8', { startedAt: 80, state: 'success', title: 'from the record' }));
    await keepRecord(pipeline('table/7', { startedAt: 70, state: 'failed' }));
    const list = (await get('/api/v1/pipelines?project=table&limit=10')).json<
      { id: string; title: string }[]
    >();
    expect(list.map((one) => one.id)).toEqual(['table/9', 'table/8', 'table/7']);
    expect(list[1]?.title).toBe('from the record');
    expect((await get('/api/v1/pipelines?limit=1')).json()).toHaveLength(1);
    for (const bad of ['project=A%22B', 'limit=0', 'limit=x', 'limit=100000'])
      expect((await get(`/api/v1/pipelines?${bad}`)).statusCode).toBe(400);
  });
});

describe('decisions', () => {
  const decide = (id: string, action: string, key = 'deploy', token: string = TOKENS.developer) =>
    post(`/api/v1/pipelines/${id}/decisions`, { action, job: key, comment: 'why' }, token);

  test('carry the name and role of the token, whatever the body contains', async () => {
    server.workflows.open.set('table/1', pipeline('table/1', { jobs: [job('deploy')] }));
    expect((await decide('table/1', 'play')).json()).toEqual({ accepted: true, message: 'done' });
    await decide('table/1', 'reject', 'deploy', TOKENS.cli);
    expect(server.workflows.decisions).toMatchObject([
      { action: 'play', job: 'deploy', comment: 'why', actor: 'the developer', role: 'developer' },
      { action: 'reject', job: 'deploy', comment: 'why', actor: 'me', role: 'operator' },
    ]);
    const sure = { action: 'play', job: 'deploy', confirm: true };
    await post('/api/v1/pipelines/table/1/decisions', sure);
    expect(server.workflows.decisions.at(-1)).toMatchObject({ confirm: true });
    const forged = { action: 'play', job: 'deploy', actor: 'root', role: 'operator' };
    expect((await post('/api/v1/pipelines/table/1/decisions', forged)).statusCode).toBe(400);
  });

  test.each([
    ['gate/not-an-approver', 403],
    ['gate/expired', 409],
    ['gate/not-ready', 409],
    ['job/decided', 409],
    ['job/unconfirmed', 409],
    ['job/not-playable', 409],
    ['job/not-found', 404],
  ] as const)('%s is answered with %i', async (code, status) => {
    server.workflows.open.set('table/1', pipeline('table/1'));
    server.workflows.answer = { accepted: false, code, message: 'because' };
    const answer = await decide('table/1', 'play');
    expect([answer.statusCode, answer.json().error.code, answer.json().error.message]).toEqual([
      status,
      code,
      'because',
    ]);
  });

  test('about a closed pipeline start a run of it, if they can take effect', async () => {
    const spec = await server.stores.blobs.putBytes(Buffer.from('{}'));
    const plan = {
      version: 1,
      jobs: [
        { key: 'unit', spec, gate: undefined },
        { key: 'deploy', spec, gate: { approvers: ['ops'], requires: [], expiresInMs: 1 } },
      ],
    };
    const jobs = [job('unit', { phase: 'ended', outcome: 'failed' }), job('deploy', { phase: 'gate' })];
    await keepRecord(pipeline('table/2', { state: 'failed', jobs }), plan);
    expect((await decide('table/2', 'retry', 'unit')).json().accepted).toBe(true);
    expect(server.workflows.reruns).toMatchObject([
      { pipeline: 'table/2', decision: { action: 'retry', job: 'unit', actor: 'the developer' } },
    ]);
    expect((await decide('table/2', 'play', 'deploy')).json().error.code).toBe('gate/not-an-approver');
    expect((await decide('table/2', 'play', 'unit')).json().error.code).toBe('job/not-playable');
    expect((await decide('table/2', 'cancelJob', 'unit')).json().error.code).toBe('job/not-playable');
    expect((await decide('table/2', 'retry', 'nothing')).json().error.code).toBe('job/not-found');
    expect((await decide('table/99', 'retry', 'unit')).statusCode).toBe(404);
    expect(server.workflows.reruns).toHaveLength(1);
  });

  test('cancel: accepted if open, a conflict if ended, not found if unknown', async () => {
    server.workflows.open.set('table/1', pipeline('table/1'));
    expect((await post('/api/v1/pipelines/table/1/cancel', {})).json()).toEqual({ accepted: true });
    expect(server.workflows.cancelled).toEqual(['table/1']);
    expect(server.workflows.cancelledBy).toEqual([{ actor: 'the developer', role: 'developer' }]);
    await keepRecord(pipeline('table/2', { state: 'success' }));
    const ended = await post('/api/v1/pipelines/table/2/cancel', {});
    expect([ended.statusCode, ended.json().error.code]).toEqual([409, 'pipeline/ended']);
    expect((await post('/api/v1/pipelines/table/3/cancel', {})).statusCode).toBe(404);
  });
});

describe('starting', () => {
  const request = {
    key: 'request:0f1e2d3c-aaaa',
    ref: 'main',
    refKind: 'branch',
    sha: 'b'.repeat(40),
    before: '0'.repeat(40),
    title: 'try it',
    source: 'cli',
  };
  const start = (more: object = {}, slug = 'table') =>
    post(`/api/v1/projects/${slug}/pipelines`, { ...request, ...more });

  test('adds the user, and returns 202 once the signal is durable', async () => {
    const answer = await start();
    expect([answer.statusCode, answer.json()]).toEqual([202, { key: request.key, project: 'table' }]);
    expect(server.workflows.triggers).toMatchObject([
      {
        ...request,
        project: 'table',
        actor: 'the developer',
        role: 'developer',
        fork: false,
        deliveryId: request.key,
        cloneUrl: 'https://forge.test/g/table.git',
      },
    ]);
  });

  test('of a working tree needs the tree, not a known project', async () => {
    const sourceBlob = await server.stores.blobs.putBytes(Buffer.from('tar'));
    expect((await start({ sourceBlob }, 'somewhere')).statusCode).toBe(202);
    expect(server.workflows.triggers[0]?.cloneUrl).toBeUndefined();
    const missing = await start({ sourceBlob: `sha256:${'0'.repeat(64)}` }, 'somewhere');
    expect([missing.statusCode, missing.json().error.code]).toEqual([404, 'blob/missing']);
    expect((await start({}, 'bare')).json().error.code).toBe('usage/invalid');
  });

  test('inputs of every type are passed on', async () => {
    const inputs = { env: 'dev', count: 2, dry: true, jobs: ['a', { b: [null] }] };
    expect((await start({ inputs })).statusCode).toBe(202);
    expect(server.workflows.triggers[0]?.inputs).toEqual(inputs);
  });

  test.each([
    { key: 'push:refs/heads/main:1:2' },
    { sha: 'main' },
    { source: 'push' },
    { actor: 'root' },
    { role: 'operator' },
    { cloneUrl: 'ext::sh' },
    { variables: { 'A B': '1' } },
    { inputs: { '': '1' } },
    { inputs: { a: 'x'.repeat(131_072) } },
    { inputs: ['a'] },
    { refKind: 'other' },
  ])('refuses %j', async (more) => {
    expect((await start(more)).statusCode).toBe(400);
    expect(server.workflows.triggers).toEqual([]);
  });

  test('the state of a request comes from the workflow, and later from the store', async () => {
    const path = `/api/v1/projects/table/requests/${encodeURIComponent(request.key)}`;
    expect((await get(path)).json()).toEqual({ state: 'unknown' });
    const hash = sha256(request.key);
    await server.stores.records.put(claimName('table', hash), {
      claimId: 'c',
      deliveryId: 'd',
      iid: 12,
      number: 40,
    });
    expect((await get(path)).json()).toEqual({ state: 'started', pipeline: 'table/12' });
    server.workflows.lookups.set(request.key, { state: 'queued' });
    expect((await get(path)).json()).toEqual({ state: 'queued' });
  });

  test('a request is answered when its project tells that it has decided', async () => {
    const path = `/api/v1/projects/table/requests/${encodeURIComponent(request.key)}?wait=20`;
    server.deps.limits.statusMs = 3_600_000;
    server.workflows.lookups.set(request.key, { state: 'queued' });
    const answer = get(path);
    await expect.poll(() => server.workflows.lookedUp).toBeGreaterThan(0);
    server.workflows.lookups.set(request.key, { state: 'started', pipeline: 'table/3' });
    const asked = server.workflows.lookedUp;
    await told({ project: 'table', key: request.key });
    await expect.poll(() => server.workflows.lookedUp).toBe(asked + 1);
    expect((await answer).json()).toEqual({ state: 'started', pipeline: 'table/3' });
    expect((await get(path.replace('=20', '=x'))).statusCode).toBe(400);
  });

  test('projects', async () => {
    expect((await get('/api/v1/projects/table')).json().project).toBe('table');
    expect((await get('/api/v1/projects/bare')).json()).toEqual({ project: 'bare', running: [], locks: [] });
    expect((await get('/api/v1/projects/none')).statusCode).toBe(404);
  });
});

describe('blobs and artifacts for users', () => {
  test('a working tree is stored and read back', async () => {
    const put = await server.app.inject({
      method: 'POST',
      url: '/api/v1/blobs',
      headers: { ...bearer(TOKENS.developer), 'content-type': 'application/octet-stream' },
      payload: Buffer.from('a tar'),
    });
    const { digest, bytes } = put.json<{ digest: string; bytes: number }>();
    expect(bytes).toBe(5);
    expect((await get(`/api/v1/blobs/${digest}`)).json().error.code).toBe('auth/denied');
    expect((await get(`/api/v1/blobs/${digest}`, TOKENS.operator)).body).toBe('a tar');
    const json = await post('/api/v1/blobs', { a: 1 });
    expect([json.statusCode, json.json().error.code]).toEqual([400, 'usage/invalid']);
  });

  test('artifacts are saved, never shown', async () => {
    const digest = await server.stores.blobs.putBytes(Buffer.from('<script>'));
    const id: PipelineId = 'table/1';
    const result = {
      outcome: 'succeeded' as const,
      started: true,
      artifacts: { digest, bytes: 8, files: 1 },
    };
    server.workflows.open.set(id, pipeline(id, { jobs: [job('a: ["x]"\r\n', { result }), job('b')] }));
    const answer = await get(`/api/v1/pipelines/${id}/artifacts?job=${encodeURIComponent('a: ["x]"\r\n')}`);
    expect(answer.body).toBe('<script>');
    expect(answer.headers['content-disposition']).toBe('attachment; filename="table-1-a-x-.tar.gz"');
    expect(answer.headers['content-type']).toBe('application/gzip');
    expect((await get(`/api/v1/pipelines/${id}/artifacts?job=b`)).statusCode).toBe(404);
    expect((await get(`/api/v1/pipelines/${id}/artifacts?job=c`)).statusCode).toBe(404);
  });

  test('artifacts follow the access of their job; reports are separate', async () => {
    const digest = await server.stores.blobs.putBytes(Buffer.from('bytes'));
    const id: PipelineId = 'table/1';
    const of = (access: 'developer' | 'operator' | 'nobody') => ({
      outcome: 'succeeded' as const,
      started: true,
      artifacts: { digest, bytes: 5, files: 1, access },
      reports: { digest, bytes: 5, files: 1 },
    });
    const jobs = (['developer', 'operator', 'nobody'] as const).map((one) => job(one, { result: of(one) }));
    server.workflows.open.set(id, pipeline(id, { jobs }));
    const path = `/api/v1/pipelines/${id}/artifacts?job=`;
    expect((await get(`${path}developer`)).statusCode).toBe(403);
    expect((await get(`${path}developer`, TOKENS.developer)).body).toBe('bytes');
    expect((await get(`${path}operator`, TOKENS.developer)).statusCode).toBe(403);
    expect((await get(`${path}operator`, TOKENS.operator)).body).toBe('bytes');
    expect((await get(`${path}nobody`, TOKENS.operator)).statusCode).toBe(403);
    expect((await get(`${path}nobody&reports=1`)).body).toBe('bytes');
  });
});
