/** Row 10: protected refs that come from the forge, over a forge that answers, is away, or has never answered. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { makeStartDownstream } from '../../activities/downstream/start-downstream.ts';
import { makeCreateRelease } from '../../activities/pipeline/create-release.ts';
import { makeFindArtifacts } from '../../activities/pipeline/find-artifacts.ts';
import { forgeRefs } from '../../src/adapters/forge/index.ts';
import { httpStores } from '../../src/adapters/http/index.ts';
import type { Rights } from '../../src/adapters/ports.ts';
import { artifactNameHash } from '../../src/utils/store-names.ts';
import { artifactRecordPrefix } from '../../src/plan/model/records.ts';
import { forgeProtection, type ProtectionOf } from '../../src/server/forge-protection.ts';
import { testForge, type TestForge } from '../support/forge.ts';
import { bearer, testServer, TOKENS, type TestServer } from '../support/server.ts';
import { asActivity, common, json, memoryBlobs, memoryRecords } from '../unit/activities/fakes.ts';
import { control, makeRepository, pushOf, requestOf, type Repository } from './world.ts';

const FILE = 'j: {image: x, script: [echo]}';
let repository: Repository;
let forge: TestForge;
let server: TestServer;
let rights: Rights;
let closeStores: () => Promise<void>;
let now: number;

beforeAll(async () => {
  repository = await makeRepository(FILE);
  await repository.branch('dev');
  await repository.git('tag', 'v1');
});
afterAll(() => repository.remove());
const project = (more: object = {}) => ({
  name: 'table',
  clone_url: repository.url,
  forge: 'gitea' as const,
  forge_url: forge.url,
  forge_token: 'env:T',
  repository: 'group/table',
  protected_from: 'forge',
  variables: { DEPLOY_KEY: { secret: 'env:DEPLOY_KEY', protected: true } },
  ...more,
});
beforeEach(async () => {
  forge = await testForge('gitea');
  now = 1_000_000;
  const answer: ProtectionOf = (asked) => protection(asked);
  server = await testServer({ projects: [project()], protectionOf: answer });
  const protection = forgeProtection({
    forge: forgeRefs({ secrets: { resolve: async () => 't' } }),
    records: server.stores.records,
    log: server.deps.log,
    now: () => now,
  });
  const url = await server.app.listen({ host: '127.0.0.1', port: 0 });
  const stores = httpStores({ url, workerToken: TOKENS.worker });
  rights = stores.rights;
  closeStores = () => stores.close();
});
afterEach(async () => {
  await closeStores();
  await server.close();
  await forge.close();
});

const world = () => control(repository, project(), {}, rights);
async function reaches(trigger: ReturnType<typeof pushOf>): Promise<{ held: boolean; warnings: string }> {
  const at = world();
  const planned = await at.plan(trigger);
  const held = JSON.stringify(at.spec(planned, 'j')).includes('env:DEPLOY_KEY');
  expect(planned.plan.trust?.protectedRef).toBe(held);
  return { held, warnings: planned.warnings.join() };
}
const dev = () => pushOf(repository, { ref: 'dev', sha: repository.heads.dev ?? '' });
const tag = (ref: string) => pushOf(repository, { source: 'tag', refKind: 'tag', ref });
const start = (token: string, more: object = {}) =>
  server.app.inject({
    method: 'POST',
    url: '/api/v1/projects/table/pipelines',
    headers: bearer(token),
    payload: {
      key: 'request:12345678',
      ref: 'main',
      refKind: 'branch',
      sha: repository.heads.main,
      before: '0'.repeat(40),
      title: 'x',
      source: 'api',
      ...more,
    },
  });

test('the forge says which pushes are protected', async () => {
  expect((await reaches(pushOf(repository))).held).toBe(true);
  expect((await reaches(tag('v1'))).held).toBe(true);
  expect((await reaches(dev())).held).toBe(false);
  forge.lists.branch_protections = [];
  now += 60_000;
  expect((await reaches(pushOf(repository))).held).toBe(false);
});

test('a request for a ref that the forge protects needs the right, and the commit', async () => {
  expect((await start(TOKENS.developer)).json().error.code).toBe('auth/denied');
  expect((await start(TOKENS.developer, { ref: 'v1', refKind: 'tag' })).statusCode).toBe(403);
  expect((await start(TOKENS.developer, { ref: 'dev' })).statusCode).toBe(202);
  expect((await start(TOKENS.operator)).statusCode).toBe(202);
  expect((await reaches(requestOf(repository, 'operator'))).held).toBe(true);
  expect((await reaches(requestOf(repository, 'operator', { sha: repository.heads.dev ?? '' }))).held).toBe(
    false,
  );
});

test('while the forge is away its last list counts', async () => {
  await reaches(pushOf(repository));
  forge.status = 503;
  now += 24 * 60 * 60_000;
  expect((await reaches(pushOf(repository))).held).toBe(true);
  expect((await reaches(dev())).held).toBe(false);
  expect((await start(TOKENS.developer)).statusCode).toBe(403);
  expect((await start(TOKENS.developer, { ref: 'dev' })).statusCode).toBe(202);
});

describe('before the forge has ever answered', () => {
  beforeEach(() => {
    forge.status = 503;
  });
  test('no pipeline is protected, and says why', async () => {
    const { held, warnings } = await reaches(pushOf(repository));
    expect(held).toBe(false);
    expect(warnings).toContain('The forge has not said whether the branch main is protected');
    expect((await reaches(requestOf(repository, 'operator'))).held).toBe(false);
    expect((await reaches(tag('v1'))).held).toBe(false);
  });
  test('every ref is started by those who may start protected ones', async () => {
    for (const ref of ['main', 'dev'])
      expect((await start(TOKENS.developer, { ref })).json().error.message).toContain('has not said yet');
    expect((await start(TOKENS.operator, { ref: 'dev' })).statusCode).toBe(202);
  });
});

describe.each([
  ['has answered', 200, 'is protected, and this pipeline is not'],
  ['has never answered', 503, 'has not said yet'],
])('an unprotected pipeline, when the forge %s,', (_when, status, words) => {
  beforeEach(() => {
    forge.status = status;
  });
  const facts = () => world().facts;

  test('makes no release of a protected tag', async () => {
    const blobs = memoryBlobs();
    const made: string[] = [];
    const create = makeCreateRelease({
      blobs,
      records: memoryRecords(),
      rights,
      facts: facts(),
      forge: {
        commitStatus: async () => undefined,
        openRequests: async () => undefined,
        findRelease: async () => 'none',
        makeRelease: async (_name, { tagName }) => {
          made.push(tagName);
          return { left: [] };
        },
      },
    });
    const release = { tagName: 'v9', description: 'x', ref: 'dev', milestones: [], links: [] };
    const spec = await blobs.putBytes(json({ ...common, kind: 'script', protectedRef: false, release }));
    const answer = await asActivity(create, {
      kind: 'script',
      project: 'table',
      pipeline: 'table/1',
      job: 'rel',
      spec,
      dotenv: [],
    });
    expect(answer).toMatchObject({ kind: 'refused', message: expect.stringContaining(words) });
    expect(made).toEqual([]);
  });

  test('starts no protected ref of another project', async () => {
    const blobs = memoryBlobs();
    const started: unknown[] = [];
    const known = facts();
    const [table] = known.config.projects;
    if (!table) throw new Error('no project');
    const begin = makeStartDownstream({
      blobs,
      records: memoryRecords(),
      rights,
      source: {
        heads: async () => [{ ref: 'refs/heads/main', sha: 'a'.repeat(40), commit: 'a'.repeat(40) }],
      },
      secrets: { resolve: async () => '', seal: (bytes) => bytes, unseal: (bytes) => bytes },
      workflows: { start: async (trigger) => void started.push(trigger) },
      facts: { ...known, config: { ...known.config, projects: [{ ...table, triggered_by: ['front'] }] } },
    });
    const to = { project: 'table', branch: 'main' };
    const spec = await blobs.putBytes(json({ ...common, kind: 'trigger', protectedRef: false, to }));
    const answer = await asActivity(begin, {
      ref: { pipeline: 'front/1', job: 't', jobId: 1, attempt: 1, epoch: 1 },
      number: 1,
      trigger: pushOf(repository, { project: 'front', ref: 'dev' }),
      spec,
      files: [],
      dotenv: [],
      at: 1,
    });
    expect(answer).toMatchObject({ refused: expect.stringContaining(words) });
    expect(started).toEqual([]);
  });

  test('leaves nothing that is taken for an artifact of the protected branch', async () => {
    const records = memoryRecords();
    const area = artifactRecordPrefix('table', 'unprotected', artifactNameHash('main', 'build'));
    await records.put(`${area}/1`, { succeeded: true, pipeline: 'table/9' });
    const find = makeFindArtifacts({ records, blobs: { has: async () => true }, facts: facts(), rights });
    const needs = [{ project: 'table', ref: 'main', job: 'build' }];
    const answer = await find({ project: 'table', fork: false, root: 1, needs });
    expect(answer).toMatchObject({ missing: expect.stringContaining('in a protected pipeline') });
  });
});

test('a worker cannot write what the forge protects', async () => {
  for (const route of ['put', 'put-if-absent']) {
    const answer = await server.app.inject({
      method: 'POST',
      url: `/internal/v1/records/${route}`,
      headers: bearer(TOKENS.worker),
      payload: { name: 'forge-refs/table', value: {} },
    });
    expect([answer.statusCode, answer.json().error.code]).toEqual([403, 'auth/denied']);
  }
});

test('a worker is told over the same connection whether approvals are still valid', async () => {
  const ask = (actor: string, gate: object = {}) =>
    rights.approvals({
      project: 'table',
      job: 'deploy',
      environment: 'prod',
      startedBy: 'ada',
      ref: 'main',
      protectedRef: true,
      fork: false,
      target: 'prod',
      gate: { approvers: [], expiresInMs: 1, requires: [], ...gate },
      approvals: [{ actor, role: 'operator' }],
    });
  expect(await ask('the operator')).toMatchObject({
    verdict: 'stands',
    target: expect.stringMatching(/^[0-9a-f]{64}$/),
  });
  expect(await ask('the developer')).toMatchObject({ verdict: 'ask', gate: { approvers: [] } });
  const protection = { approvals: [{ approvers: ['operator'], count: 2 }], notBy: ['ada'], written: true };
  expect(await ask('the operator', { protection })).toMatchObject({ verdict: 'ask', gate: { protection } });
});
