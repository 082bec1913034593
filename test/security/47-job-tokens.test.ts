/** CI_JOB_TOKEN at every route: a job has its own pipeline, artifacts that it is given, and nothing else. */
import type { InjectOptions } from 'fastify';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { JobAsker } from '../../src/match/registry-access.ts';
import { ROUTES } from '../support/routes.ts';
import { job, pipeline, testServer, type TestServer } from '../support/server.ts';

let server: TestServer;
const PROJECTS = [
  { name: 'alpha' },
  { name: 'beta' },
  { name: 'open', artifacts_to: ['*'] },
  { name: 'given', artifacts_to: ['alpha'] },
];
const PIPELINES = ['alpha/1', 'alpha/2', 'beta/1', 'open/1', 'given/1'] as const;

beforeAll(async () => {
  server = await testServer({ projects: PROJECTS });
  const digest = await server.stores.blobs.putBytes(Buffer.from('the artifact'));
  for (const id of PIPELINES) {
    const artifacts = { digest, bytes: 12, files: 1 };
    const done = (key: string, more: object) =>
      job(key, {
        outcome: 'succeeded',
        result: { outcome: 'succeeded', started: true, artifacts: { ...artifacts, ...more } },
      });
    const jobs = [done('job', {}), done('none', { access: 'nobody' })];
    server.workflows.open.set(id, pipeline(id, { jobs }));
    await server.stores.logs.open({ pipeline: id, job: 'job', attempt: 1 }, 1);
  }
});
afterAll(() => server.close());

function token(asker: Partial<JobAsker> = {}, id: (typeof PIPELINES)[number] = 'alpha/1'): string {
  const of = { project: 'alpha', protectedRef: false, fork: false, ...asker };
  return server.deps.credentials.forJob(
    { job: of, attempt: { pipeline: id, job: 'job', attempt: 1 } },
    60_000,
  );
}
async function status(url: string, shown: string, method: InjectOptions['method'] = 'GET'): Promise<number> {
  const one = await server.app.inject({ method, url, headers: { authorization: `Bearer ${shown}` } });
  const other = await server.app.inject({ method, url, headers: { 'job-token': shown } });
  expect(other.statusCode).toBe(one.statusCode);
  return one.statusCode;
}
const JOBS = [
  'GET /api/v1/pipelines/:slug/:iid',
  'GET /api/v1/pipelines/:slug/:iid/log',
  'GET /api/v1/pipelines/:slug/:iid/artifacts',
];

describe('the token of a job', () => {
  const others = Object.entries(ROUTES).filter(
    ([route, access]) => !JOBS.includes(route) && !['anybody', 'webhook', 'credential'].includes(access),
  );
  test.each(others)('opens no other route: %s', async (route) => {
    const [method = '', path = ''] = route.split(' ');
    const url = path
      .replace(':slug', 'alpha')
      .replace(':iid', '1')
      .replace(':digest', `sha256:${'0'.repeat(64)}`)
      .replace(':key', 'request:x')
      .replace(':id', '0123456789abcdef-000001');
    expect(await status(url, token(), method as InjectOptions['method'])).toBe(401);
  });

  test('reads its own pipeline, and no other', async () => {
    for (const path of ['', '/log?job=job']) {
      expect(await status(`/api/v1/pipelines/alpha/1${path}`, token())).toBe(200);
      for (const id of PIPELINES.slice(1))
        expect(await status(`/api/v1/pipelines/${id}${path}`, token()), id).toBe(403);
    }
  });

  test.each([
    [{}, ['alpha/1', 'alpha/2', 'open/1', 'given/1']],
    [{ fork: true }, ['alpha/1']],
    [{ project: 'beta' }, ['alpha/1', 'beta/1', 'open/1']],
  ])('takes the artifacts that its project is given: %o', async (asker, allowed) => {
    for (const id of PIPELINES) {
      const found = await status(`/api/v1/pipelines/${id}/artifacts?job=job`, token(asker));
      expect(found, id).toBe(allowed.includes(id) ? 200 : 403);
      expect(await status(`/api/v1/pipelines/${id}/artifacts?job=none`, token(asker)), id).toBe(403);
    }
  });

  test('ends with the attempt', async () => {
    const url = '/api/v1/pipelines/beta/1';
    const shown = token({ project: 'beta' }, 'beta/1');
    expect(await status(url, shown)).toBe(200);
    const { offset } = await server.stores.logs.open({ pipeline: 'beta/1', job: 'job', attempt: 1 }, 1);
    const summary = { bytes: offset, crc: '00000000', complete: true };
    await server.stores.logs.end({ pipeline: 'beta/1', job: 'job', attempt: 1 }, { epoch: 1, summary });
    expect(await status(url, shown)).toBe(401);
  });
});
