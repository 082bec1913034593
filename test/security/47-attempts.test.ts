/** Row 47: a worker proves itself and nothing else; what an attempt may do, its own token says. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { encodeFrame, FRAME_TYPE } from '../../src/adapters/http/wire.ts';
import { DavitError } from '../../src/errors.ts';
import type { AttemptRef } from '../../src/plan/model/ids.ts';
import { attemptName } from '../../src/utils/store-names.ts';
import { rotateKeyFile } from '../../src/adapters/keys/key-ring.ts';
import { sha256 } from '../../src/utils/sha256.ts';
import { ROUTES } from '../support/routes.ts';
import { attemptOf, mint, take } from '../support/attempts.ts';
import { bearer, job, testServer, TOKENS, type TestServer } from '../support/server.ts';

const A = 'a-token-of-worker-a-012345';
const B = 'a-token-of-worker-b-012345';
const OWN = attemptOf('alpha/1', 'unit');
const OTHER = attemptOf('beta/2', 'deploy', { jobId: 8 });
const HEX = 'a'.repeat(64);

let server: TestServer;
beforeEach(async () => {
  server = await testServer({
    projects: [{ name: 'alpha' }, { name: 'beta' }],
    workers: [
      { name: 'a', token_sha256: sha256(A) },
      { name: 'b', token_sha256: sha256(B) },
    ],
  });
  take(server, OWN, { worker: 'a', status: { protected: true } });
  take(server, OTHER, { worker: 'b', status: { protected: true } });
});
afterEach(() => server.close());

const nameOf = (ref: AttemptRef): string =>
  attemptName('the-installation', { workflowId: `pipeline/${ref.pipeline}`, runId: 'the-run' }, ref);
const ask = async (
  token: string,
  path: string,
  payload?: object,
): Promise<{ status: number; code: string }> => {
  const answer = await server.app.inject({
    method: payload ? 'POST' : 'GET',
    url: `/internal/v1${path}`,
    headers: bearer(token),
    ...(payload && { payload }),
  });
  return { status: answer.statusCode, code: answer.statusCode < 400 ? 'ok' : answer.json().error.code };
};
const codes = async (token: string, calls: [string, object][]): Promise<string[]> => {
  const found: string[] = [];
  for (const [path, body] of calls) found.push((await ask(token, path, body)).code);
  return found;
};

describe('a stolen token of a worker', () => {
  test('opens no log, writes no cache and opens no mask set of a job that another worker has', async () => {
    const calls: [string, object][] = [
      ['/logs/open', { ref: OTHER, epoch: 99 }],
      ['/records/put', { name: `caches/beta/protected/${HEX}`, value: {} }],
      ['/records/get', { name: `masks/${nameOf(OTHER)}` }],
      ['/records/list', { prefix: 'masks', limit: 10 }],
    ];
    expect(await codes(A, calls)).toEqual([
      'worker/outdated',
      'worker/outdated',
      'worker/outdated',
      'auth/denied',
    ]);
    // It cannot be given the other's attempt either, under any name.
    expect((await mint(server, A, OTHER, { worker: 'a' })).code).toBe('log/fenced');
    expect((await mint(server, A, OTHER, { worker: 'b' })).code).toBe('worker/scope');
    const { token } = await mint(server, A, OWN, { worker: 'a' });
    expect(await codes(token, calls)).toEqual(['auth/denied', 'auth/denied', 'auth/denied', 'auth/denied']);
  });

  test('derives no key: what one attempt has sealed, another one does not open', async () => {
    const own = await mint(server, A, OWN, { worker: 'a' });
    const other = await mint(server, B, OTHER, { worker: 'b' });
    const call = (token: string, path: string, payload: Buffer) =>
      server.app.inject({
        method: 'POST',
        url: `/internal/v1/${path}`,
        headers: { ...bearer(token), 'content-type': 'application/octet-stream' },
        payload,
      });
    const sealed = (await call(other.token, 'seal', Buffer.from('hidden-value'))).rawPayload;
    expect(sealed.toString('latin1')).not.toContain('hidden-value');
    expect((await call(own.token, 'unseal', sealed)).json().error.code).toBe('secret/corrupt');
    for (const token of [A, B, TOKENS.control, TOKENS.worker])
      expect((await call(token, 'unseal', sealed)).statusCode).toBe(403);
    expect((await call(other.token, 'unseal', sealed)).body).toBe('hidden-value');
  });
});

describe('the token of an attempt', () => {
  test('opens no route but those for attempts', async () => {
    const { token } = await mint(server, A, OWN, { worker: 'a' });
    for (const [route, access] of Object.entries(ROUTES)) {
      if (['anybody', 'webhook', 'credential'].includes(access)) continue;
      const [method = 'GET', path = ''] = route.split(' ');
      const url = path
        .replace(':slug', 'alpha')
        .replace(':iid', '1')
        .replace(':digest', `sha256:${'0'.repeat(64)}`)
        .replace(':name', 'a')
        .replace(':key', 'request:x');
      const answer = await server.app.inject({ method: method as 'GET', url, headers: bearer(token) });
      const opens = access === 'attempt' || access === 'sealed';
      expect([route, answer.statusCode !== 401 && answer.statusCode !== 403]).toEqual([route, opens]);
    }
  });

  test.each([
    [`masks/${nameOf(OWN)}`, 'ok', 'ok'],
    [`ends/${nameOf(OWN)}`, 'ok', 'ok'],
    [`masks/${nameOf(OTHER)}`, 'auth/denied', 'auth/denied'],
    [`masks/${nameOf({ ...OWN, attempt: 2 })}`, 'auth/denied', 'auth/denied'],
    [`caches/alpha/protected/${HEX}`, 'ok', 'ok'],
    [`caches/alpha/unprotected/${HEX}`, 'ok', 'ok'],
    [`caches/beta/protected/${HEX}`, 'auth/denied', 'auth/denied'],
    [`caches/alpha/protected/../../beta/protected/${HEX}`, 'auth/denied', 'auth/denied'],
    [`given/alpha/protected/${HEX}/${'7'.padStart(15, '0')}`, 'auth/denied', 'ok'],
    [`given/alpha/protected/${HEX}/${'8'.padStart(15, '0')}`, 'auth/denied', 'auth/denied'],
    [`given-by/1/${sha256('["unit"]')}`, 'auth/denied', 'ok'],
    [`given-by/1/${sha256('["other"]')}`, 'auth/denied', 'auth/denied'],
    [`deploys/prod/${HEX}`, 'auth/denied', 'auth/denied'],
    ['pipelines/alpha/00000001', 'auth/denied', 'auth/denied'],
    ['worker-tokens/all', 'auth/denied', 'auth/denied'],
  ])('the record %s: get %s, put %s', async (name, get, put) => {
    const { token } = await mint(server, A, OWN, { worker: 'a' });
    expect((await ask(token, '/records/get', { name })).code).toBe(get);
    expect((await ask(token, '/records/put', { name, value: 1 })).code).toBe(put);
  });

  test('of a fork and of an unprotected ref reaches no protected cache; a fork writes none', async () => {
    for (const [id, fork, put] of [
      ['alpha/3', false, 'ok'],
      ['alpha/4', true, 'auth/denied'],
    ] as const) {
      const own = attemptOf(id, 'unit');
      take(server, own, { worker: undefined, status: { ...(fork && { fork: true as const }) } });
      const { token } = await mint(server, TOKENS.worker, own);
      const at = (area: string) => ({ name: `caches/alpha/${area}/${HEX}` });
      expect(
        await codes(token, [
          ['/records/get', at('protected')],
          ['/records/put', { ...at('protected'), value: 1 }],
          ['/records/get', at('unprotected')],
          ['/records/put', { ...at('unprotected'), value: 1 }],
        ]),
      ).toEqual(['auth/denied', 'auth/denied', 'ok', put]);
    }
  });

  test('of a deployment writes the record of its own', async () => {
    const status = { protected: true as const, jobs: [job('unit', { queue: 'deploy-prod', jobId: 7 })] };
    take(server, OWN, { worker: 'a', type: 'applyDeploy', status });
    const { token } = await mint(server, A, OWN, { worker: 'a' });
    const names = [
      `deploys/prod/${sha256('alpha/1/unit/1')}`,
      `adoptions/prod/${HEX}`,
      `deploys/other/${sha256('alpha/1/unit/1')}`,
    ];
    expect(
      await codes(
        token,
        names.map((name) => ['/records/put', { name, value: 1 }]),
      ),
    ).toEqual(['ok', 'ok', 'auth/denied']);
  });

  test('writes the log of its own dispatch, and of no later one', async () => {
    const { token } = await mint(server, A, OWN, { worker: 'a' });
    expect(
      await codes(token, [
        ['/logs/open', { ref: OWN, epoch: 1 }],
        ['/logs/open', { ref: OWN, epoch: 2 }],
        ['/logs/open', { ref: { ...OWN, attempt: 2 }, epoch: 1 }],
        ['/logs/state', { ref: OTHER }],
        ['/logs/read', { ref: OTHER, offset: 0, limit: 1 }],
      ]),
    ).toEqual(['ok', 'auth/denied', 'auth/denied', 'auth/denied', 'auth/denied']);
    const append = (ref: AttemptRef) =>
      server.app.inject({
        method: 'POST',
        url: '/internal/v1/logs/append',
        headers: { ...bearer(token), 'content-type': FRAME_TYPE },
        payload: encodeFrame({ ref, epoch: 1, offset: 0 }, Buffer.from('x')),
      });
    expect([(await append(OWN)).statusCode, (await append(OTHER)).statusCode]).toEqual([200, 403]);
  });

  test('reads the spec of its job, and of no other one', async () => {
    const { token } = await mint(server, A, OWN, { worker: 'a' });
    const store = async (value: unknown) => server.stores.blobs.putBytes(Buffer.from(JSON.stringify(value)));
    const spec = { version: 1, kind: 'script', project: 'alpha', key: 'unit' };
    const found: number[] = [];
    for (const one of [
      spec,
      { ...spec, key: 'other' },
      { ...spec, project: 'beta' },
      { jobs: [spec] },
      { NAME: 'of a report' },
    ])
      found.push((await ask(token, `/blobs/${await store(one)}`)).status);
    expect(found).toEqual([200, 403, 403, 403, 200]);
  });

  test('reads the bytes that it was given, and no others', async () => {
    const put = (value: unknown) =>
      server.stores.blobs.putBytes(value instanceof Buffer ? value : Buffer.from(JSON.stringify(value)));
    const [source, artifact, cache, foreign] = await Promise.all(
      ['source', 'artifact', 'cache', 'foreign'].map((text) => put(Buffer.from(text))),
    );
    const spec = await put({ version: 1, kind: 'script', project: 'alpha', key: 'unit', source });
    const plan = await put({ jobs: [{ key: 'unit', spec }] });
    const left = { digest: artifact, bytes: 1, files: 1 } as never;
    const needed = job('needed', {
      phase: 'ended',
      result: { outcome: 'succeeded', started: true, artifacts: left },
    });
    const name = `caches/alpha/protected/${HEX}`;
    await server.stores.records.put(name, { digest: cache, bytes: 1, at: 1 });
    take(server, OWN, {
      worker: 'a',
      status: { protected: true, plan, jobs: [job('unit', { jobId: 7 }), needed] },
    });
    const { token } = await mint(server, A, OWN, { worker: 'a' });
    const reads = async (): Promise<number[]> => {
      const found: number[] = [];
      for (const one of [spec, source, artifact, cache, foreign])
        found.push((await ask(token, `/blobs/${one}`)).status);
      return found;
    };
    expect(await reads()).toEqual([200, 200, 200, 403, 403]);
    await ask(token, '/records/get', { name });
    expect(await reads()).toEqual([200, 200, 200, 200, 403]);
  });

  test('writes nothing once the attempt is over, or another dispatch has it', async () => {
    const { token } = await mint(server, A, OWN, { worker: 'a' });
    const put = ['/records/put', { name: `caches/alpha/protected/${HEX}`, value: 1 }] as [string, object];
    expect(await codes(token, [put])).toEqual(['ok']);
    server.workflows.pending = [];
    expect(await codes(token, [put])).toEqual(['log/fenced']);
    expect((await mint(server, A, OWN, { worker: 'a', former: token })).code).toBe('log/fenced');
    take(server, { ...OWN, epoch: 2 }, { worker: 'b', type: 'resumeJob' });
    expect(await codes(token, [put])).toEqual(['log/fenced']);
  });

  test('is renewed while Temporal is away, until its log is fenced or ended', async () => {
    const { token } = await mint(server, A, OWN, { worker: 'a' });
    await ask(token, '/logs/open', { ref: OWN, epoch: 1 });
    server.workflows.failure = new DavitError('temporal/unreachable', 'It does not answer.');
    expect((await mint(server, A, OWN, { worker: 'a', former: token })).status).toBe(200);
    expect((await mint(server, A, OWN, { worker: 'a' })).code).toBe('temporal/unreachable');
    await ask(token, '/logs/end', {
      ref: OWN,
      epoch: 1,
      summary: { bytes: 0, crc: '00000000', complete: true },
    });
    expect((await mint(server, A, OWN, { worker: 'a', former: token })).code).toBe('log/fenced');
  });

  test('survives a rotation of the key, and is refused when its key is gone or it was changed', async () => {
    const { token } = await mint(server, A, OWN, { worker: 'a' });
    const state: [string, object] = ['/logs/state', { ref: OWN }];
    rotateKeyFile(`${server.folder}/keys`);
    expect(await codes(token, [state])).toEqual(['ok']);
    const [head, id, payload = '', mac] = token.split('.');
    const changed = Buffer.from(payload, 'base64url').toString().replace('alpha/1', 'alpha/2');
    expect(
      await codes([head, id, Buffer.from(changed).toString('base64url'), mac].join('.'), [state]),
    ).toEqual(['auth/expired']);
  });
});

describe('a worker is given an attempt', () => {
  test('that it has, in the run and dispatch that Temporal has', async () => {
    const other = { worker: 'a', activity: 'unit/1/2' };
    expect((await mint(server, A, OWN, { worker: 'a', run: 'another-run' })).code).toBe('log/fenced');
    expect((await mint(server, A, { ...OWN, epoch: 2 }, other)).code).toBe('log/fenced');
    // The activity is another job's.
    expect(
      (await mint(server, A, { ...OWN, job: 'other' }, { worker: 'a', activity: 'unit/1/1' })).code,
    ).toBe('log/fenced');
  });
  test('whose pipeline had no plan a moment ago', async () => {
    take(server, OWN, { worker: 'a', status: { jobs: [] } });
    await server.app.inject({ url: '/api/v1/pipelines/alpha/1', headers: bearer(TOKENS.reader) });
    take(server, OWN, { worker: 'a', status: { protected: true } });
    const { token } = await mint(server, A, OWN, { worker: 'a' });
    const put: [string, object] = ['/records/put', { name: `caches/alpha/protected/${HEX}`, value: 1 }];
    expect(await codes(token, [put])).toEqual(['ok']);
  });
  test('of a lost worker that it resumes', async () => {
    const resumed = { ...OWN, epoch: 2 };
    take(server, resumed, { worker: 'b', type: 'resumeJob' });
    expect((await mint(server, B, resumed, { worker: 'b' })).status).toBe(200);
  });
  test('to stop it, under its own name', async () => {
    take(server, OWN, { worker: 'a', type: 'stopJob', activity: 'unit/1/1/stop' });
    const { token } = await mint(server, A, OWN, { worker: 'a', activity: 'unit/1/1/stop' });
    expect(
      await codes(token, [
        ['/logs/open', { ref: OWN, epoch: 2 }],
        ['/records/get', { name: `masks/${nameOf(OWN)}` }],
        ['/records/put', { name: `caches/alpha/protected/${HEX}`, value: 1 }],
      ]),
    ).toEqual(['ok', 'ok', 'auth/denied']);
    const of = { worker: 'a', activity: 'unit/1/1/stop' };
    expect((await mint(server, A, { ...OWN, attempt: 2 }, of)).code).toBe('log/fenced');
  });
  test('to forget the values to mask of those that have ended', async () => {
    const status = { jobs: [job('unit', { attempt: 2, phase: 'running' })] };
    take(server, OWN, { worker: 'a', type: 'releaseJobs', activity: '12', status });
    const { token } = await mint(server, A, OWN, { worker: 'a', activity: '12' });
    const forget = (attempt: number, value: unknown): [string, object] => [
      '/records/put',
      { name: `masks/${nameOf({ ...OWN, attempt })}`, value },
    ];
    expect(
      await codes(token, [forget(1, { sealed: '' }), forget(1, { sealed: 'x' }), forget(2, { sealed: '' })]),
    ).toEqual(['ok', 'auth/denied', 'auth/denied']);
  });
  test('within its limits', async () => {
    await server.close();
    server = await testServer({
      projects: [{ name: 'alpha' }],
      workers: [{ name: 'a', token_sha256: sha256(A), protected_only: true }],
    });
    take(server, OWN, { worker: 'a' });
    expect((await mint(server, A, OWN, { worker: 'a' })).code).toBe('worker/scope');
  });
  test('not while it does not name itself in Temporal', async () => {
    take(server, OWN, { worker: undefined });
    expect((await mint(server, A, OWN, {})).code).toBe('worker/outdated');
  });
});
