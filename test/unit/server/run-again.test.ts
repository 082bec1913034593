/** Starting a pipeline of a ref, and running one again: as a whole, or what has failed of it. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { PipelineId } from '../../../src/plan/model/ids.ts';
import type { PipelineStatus } from '../../../src/plan/model/protocol.ts';
import {
  knownProjectName,
  pipelineRecordName,
  summaryOf,
  type PipelineRecord,
} from '../../../src/plan/model/records.ts';
import type { Trigger } from '../../../src/plan/model/trigger.ts';
import { refResolver } from '../../../src/server/resolve-ref.ts';
import { bearer, job, pipeline, testServer, TOKENS, type TestServer } from '../../support/server.ts';

let server: TestServer;
beforeEach(async () => {
  server = await testServer({
    projects: [
      {
        name: 'table',
        clone_url: 'https://forge.test/g/table.git',
        default_branch: 'trunk',
        protected_branches: ['main'],
      },
      { name: 'other', clone_url: 'https://forge.test/g/other.git' },
    ],
  });
});
afterEach(() => server.close());
const post = (url: string, payload: object = {}, token: string = TOKENS.developer) =>
  server.app.inject({ method: 'POST', url, headers: bearer(token), payload });
const last = (): Trigger | undefined => server.workflows.triggers.at(-1);

const OLD: Trigger = {
  project: 'table',
  source: 'push',
  key: 'push:refs/heads/dev:1:2',
  deliveryId: 'd',
  ref: 'dev',
  refKind: 'branch',
  sha: 'c'.repeat(40),
  before: 'b'.repeat(40),
  title: 'A change',
  actor: 'ada',
  variables: { LEVEL: '3' },
  inputs: { size: 2 },
  cloneUrl: 'https://old.test/table.git',
  fork: false,
  receivedAt: 1,
  proof: { key: 'k', signature: 's' },
};
async function ended(
  id: PipelineId,
  more: Partial<Trigger> = {},
  status: Partial<PipelineStatus> = {},
): Promise<void> {
  const whole = pipeline(id, { state: 'failed', endedAt: 2, ...status });
  const record: PipelineRecord = { version: 1, status: whole, trigger: { ...OLD, ...more } };
  const digest = await server.stores.blobs.putBytes(Buffer.from(JSON.stringify(record)));
  await server.stores.records.put(pipelineRecordName(id), { record: digest, summary: summaryOf(whole) });
}

describe('a pipeline of a ref', () => {
  const start = (more: object, token?: string) =>
    post('/api/v1/projects/table/pipelines', { key: 'request:0f1e2d3c-aaaa', source: 'api', ...more }, token);

  test('starts at the current commit of the default branch, or of the one that is named', async () => {
    expect((await start({})).statusCode).toBe(202);
    expect(last()).toMatchObject({
      ref: 'trunk',
      refKind: 'branch',
      sha: 'e'.repeat(40),
      before: '0'.repeat(40),
      source: 'api',
    });
    expect((await start({ ref: 'v1', refKind: 'tag', variables: { A: '1' } })).statusCode).toBe(202);
    expect(last()).toMatchObject({
      ref: 'v1',
      refKind: 'tag',
      variables: { A: '1' },
      actor: 'the developer',
      role: 'developer',
    });
  });
  test('the default branch is that of the forge where the file names none', async () => {
    const more = { key: 'request:0f1e2d3c-bbbb', source: 'api' };
    await server.stores.records.put(knownProjectName('other'), { defaultBranch: 'develop' });
    expect((await post('/api/v1/projects/other/pipelines', more)).statusCode).toBe(202);
    expect(last()).toMatchObject({ project: 'other', ref: 'develop', refKind: 'branch' });
  });
  test('that is protected starts for who may', async () => {
    const refused = await start({ ref: 'main' });
    expect([refused.statusCode, refused.json().error.code]).toEqual([403, 'auth/denied']);
    expect((await start({ ref: 'main' }, TOKENS.operator)).statusCode).toBe(202);
    expect((await start({ ref: 'dev' }, TOKENS.reader)).statusCode).toBe(403);
    expect(server.workflows.triggers).toHaveLength(1);
  });
  test('is decided by the name that the repository has, not by the written one', async () => {
    // What it resolves to is checked, not what was written.
    server.deps.resolveRef = async () => ({ ref: 'main', refKind: 'branch', sha: 'd'.repeat(40) });
    expect((await start({ ref: 'refs/heads/main' })).statusCode).toBe(403);
  });
  test.each([{ sha: 'd'.repeat(40) }, { sha: 'd'.repeat(40), ref: 'dev' }])(
    'refuses a commit without its ref: %j',
    async (more) => {
      expect((await start(more)).statusCode).toBe(400);
    },
  );
});

describe('a name', () => {
  const heads: Record<string, string> = {
    'refs/heads/main': '1',
    'refs/heads/both': '2',
    'refs/tags/both': '3',
    'refs/tags/v1': '4',
  };
  const resolve = refResolver({
    source: { head: async (_url, ref) => heads[ref] },
    secrets: { resolve: async () => '' },
    records: { get: async () => undefined },
  });
  const of = async (named: Parameters<typeof resolve>[1]) => {
    const [project] = server.installation.projects;
    if (!project) throw new Error('no project');
    return resolve({ ...project, default_branch: 'main' }, named);
  };
  test('is a branch or a tag; of both only in full', async () => {
    expect(await of({ ref: 'main' })).toEqual({ ref: 'main', refKind: 'branch', sha: '1' });
    expect(await of({ ref: 'v1' })).toEqual({ ref: 'v1', refKind: 'tag', sha: '4' });
    expect(await of({ ref: 'refs/tags/both' })).toEqual({ ref: 'both', refKind: 'tag', sha: '3' });
    expect(await of({ ref: 'both', refKind: 'branch' })).toEqual({
      ref: 'both',
      refKind: 'branch',
      sha: '2',
    });
    expect(await of({})).toEqual({ ref: 'main', refKind: 'branch', sha: '1' });
    await expect(of({ ref: 'both' })).rejects.toMatchObject({
      code: 'usage/invalid',
      hint: 'Write refs/heads/both or refs/tags/both.',
    });
    await expect(of({ ref: 'none' })).rejects.toThrow('has no branch or tag none');
    await expect(of({ ref: '1', refKind: 'merge_request' })).rejects.toMatchObject({ code: 'usage/invalid' });
  });
});

describe('a whole pipeline again', () => {
  const again = (id: string, token?: string) =>
    post(`/api/v1/pipelines/${id}/again`, { key: 'request:0f1e2d3c-bbbb' }, token);

  test('has ref, commit, variables and event of the first, and the rights of who asks', async () => {
    await ended('table/1', {
      reconciled: { ref: 'refs/heads/dev', after: '2' },
      local: true,
      role: 'operator',
    });
    const answer = await again('table/1');
    expect([answer.statusCode, answer.json()]).toEqual([
      202,
      { key: 'request:0f1e2d3c-bbbb', project: 'table' },
    ]);
    const { proof: _proof, ...old } = OLD;
    const { receivedAt, ...trigger } = last() ?? OLD;
    expect(trigger).toEqual({
      ...old,
      receivedAt: undefined,
      source: 'api',
      again: { pipeline: 'table/1', source: 'push' },
      startedBefore: ['ada'],
      key: 'request:0f1e2d3c-bbbb',
      deliveryId: 'request:0f1e2d3c-bbbb',
      actor: 'the developer',
      role: 'developer',
      cloneUrl: 'https://forge.test/g/table.git',
    });
    expect(receivedAt).toBeGreaterThan(1);
  });
  test('of one that was run again has the event of the first', async () => {
    const more = {
      again: { pipeline: 'table/9', source: 'merge_request' },
      startedBefore: ['ada', 'eve'],
    } as const;
    await ended('table/1', { source: 'api', actor: 'bob', ...more, startedBefore: [...more.startedBefore] });
    await again('table/1');
    expect(last()?.startedBefore).toEqual(['ada', 'eve', 'bob']);
    expect(last()?.again).toEqual({ pipeline: 'table/1', source: 'merge_request' });
  });
  test('of a protected ref starts for who may; a fork stays a fork', async () => {
    await ended('table/1', { ref: 'main' });
    expect((await again('table/1')).json().error.code).toBe('auth/denied');
    expect((await again('table/1', TOKENS.operator)).statusCode).toBe(202);
    await ended('table/2', { ref: 'main', fork: true });
    expect((await again('table/2')).statusCode).toBe(202);
    expect(last()?.fork).toBe(true);
  });
  test('needs its working tree', async () => {
    const sourceBlob = await server.stores.blobs.putBytes(Buffer.from('tar'));
    await ended('table/1', { sourceBlob });
    expect((await again('table/1')).statusCode).toBe(202);
    expect([last()?.sourceBlob, last()?.cloneUrl]).toEqual([sourceBlob, undefined]);
    await ended('table/2', { sourceBlob: `sha256:${'0'.repeat(64)}` });
    expect((await again('table/2')).json().error.code).toBe('blob/missing');
  });
  test('is refused while it runs, for one of a trigger job, and where there is none', async () => {
    await ended('table/1');
    server.workflows.open.set('table/1', pipeline('table/1'));
    expect((await again('table/1')).json().error.message).toContain('has not ended');
    const upstream: Trigger['upstream'] = {
      pipeline: 'table/7',
      job: 'go',
      attempt: 1,
      config: `sha256:${'0'.repeat(64)}`,
      depth: 1,
      root: 1,
      origin: 'push',
      chain: [],
    };
    await ended('table/2', { upstream });
    expect((await again('table/2')).json().error.hint).toContain('davit retry table/7');
    expect((await again('table/3')).statusCode).toBe(404);
    expect(server.workflows.triggers).toEqual([]);
  });
});

describe('what has failed in a pipeline', () => {
  const jobs = [
    job('a', { phase: 'ended', outcome: 'succeeded' }),
    job('b', { phase: 'ended', outcome: 'failed' }),
    job('c', { phase: 'ended', outcome: 'errored', allowedToFail: true }),
    job('d', { phase: 'ended', outcome: 'cancelled' }),
    job('e', { phase: 'ended', outcome: 'skipped' }),
    job('f', { phase: 'manual' }),
    job('g', { phase: 'ended', outcome: 'expired' }),
    job('h', { phase: 'running' }),
  ];
  test('runs again in an open one: as GitLab, without what was skipped or succeeded', async () => {
    server.workflows.open.set('table/1', pipeline('table/1', { jobs }));
    const answer = await post('/api/v1/pipelines/table/1/retry', { comment: 'the hub was away' });
    expect(answer.json()).toEqual({ retried: ['b', 'c', 'd', 'g'], refused: [] });
    expect(server.workflows.decisions).toMatchObject(
      ['b', 'c', 'd', 'g'].map((name) => ({
        action: 'retry',
        job: name,
        actor: 'the developer',
        role: 'developer',
        comment: 'the hub was away',
        proof: { turn: 0 },
      })),
    );
  });
  test('of an ended one: the first job opens it', async () => {
    const closed = jobs.filter((one) => one.phase === 'ended');
    await ended('table/1', {}, { jobs: closed });
    const plain = server.workflows.rerun.bind(server.workflows);
    server.workflows.rerun = async (slug, request) => {
      await plain(slug, request);
      // As with a project that has other work first.
      const open = (): void =>
        void server.workflows.open.set('table/1', pipeline('table/1', { jobs: closed }));
      setTimeout(open, 150);
    };
    expect((await post('/api/v1/pipelines/table/1/retry')).json().retried).toEqual(['b', 'c', 'd', 'g']);
    expect(server.workflows.reruns.map((one) => one.decision.job)).toEqual(['b']);
    expect(server.workflows.decisions.map((one) => one.job)).toEqual(['c', 'd', 'g']);
  });
  test('says which jobs do not run again, and why', async () => {
    server.workflows.open.set('table/1', pipeline('table/1', { jobs }));
    server.workflows.answer = { accepted: false, code: 'job/not-playable', message: 'It has not ended.' };
    const { retried, refused } = (await post('/api/v1/pipelines/table/1/retry')).json();
    expect(retried).toEqual([]);
    expect(refused[0]).toEqual({ job: 'b', message: 'It has not ended.' });
  });
  test('is nothing, or of a protected ref, or of a reader: refused', async () => {
    server.workflows.open.set(
      'table/1',
      pipeline('table/1', { jobs: [job('a', { phase: 'ended', outcome: 'succeeded' })] }),
    );
    const nothing = await post('/api/v1/pipelines/table/1/retry');
    expect([nothing.statusCode, nothing.json().error.code]).toEqual([409, 'job/not-playable']);
    expect(nothing.json().error.hint).toContain('davit start --again table/1');
    server.workflows.open.set('table/2', pipeline('table/2', { jobs, protected: true }));
    expect((await post('/api/v1/pipelines/table/2/retry')).json().error.code).toBe('auth/denied');
    expect((await post('/api/v1/pipelines/table/2/retry', {}, TOKENS.reader)).statusCode).toBe(403);
    expect((await post('/api/v1/pipelines/table/9/retry')).statusCode).toBe(404);
    expect(server.workflows.decisions).toEqual([]);
  });
});

test('an approval by who has started an earlier one does not count, as the server is asked when the job begins', async () => {
  await server.close();
  const rules = { approvers: ['operator'], count: 1, four_eyes: true };
  server = await testServer({
    projects: [{ name: 'table', environments: { prod: { ...rules, refs: 'any' } } }],
  });
  const verdict = async (startedBefore: string[]): Promise<string> => {
    const question = {
      project: 'table',
      job: 'deploy',
      environment: 'prod',
      startedBy: 'bob',
      startedBefore,
      ref: 'dev',
      protectedRef: false,
      fork: false,
      gate: { approvers: [], expiresInMs: 1, requires: [] },
      approvals: [{ actor: 'the operator', role: 'operator' }],
    };
    return (await post('/internal/v1/approvals', question, TOKENS.worker)).json().verdict;
  };
  expect([await verdict(['ada']), await verdict(['ada', 'the operator'])]).toEqual(['stands', 'ask']);
});
