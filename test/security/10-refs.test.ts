/**
 * Rows 10, 32, 36: a commit counts as one of a protected ref only if that ref contains it.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { gitSource } from '../../src/adapters/git/index.ts';
import { refResolver } from '../../src/server/resolve-ref.ts';
import { parseInstallation } from '../../src/compiler/installation-file.ts';
import { bearer, job, pipeline, testServer, TOKENS, type TestServer } from '../support/server.ts';
import { control, makeRepository, pushOf, requestOf, type Repository } from './world.ts';

const FILE = `
variables: {TOOL: safe/tool}
j: {image: $TOOL, script: [echo]}
helper: {image: $DAVIT_HELPER_IMAGE, services: [$TOOL], script: [echo]}
`;
const PROJECT = {
  variables: { DEPLOY_KEY: { secret: 'env:DEPLOY_KEY', protected: true }, PLAIN: 'of the project' },
};
let repository: Repository;
beforeAll(async () => {
  repository = await makeRepository(FILE);
  await repository.branch('dev/evil');
  await repository.git('tag', 'main', repository.heads['dev/evil'] ?? '');
  await repository.git('tag', 'v1');
});
afterAll(() => repository.remove());

describe('protected is', () => {
  const reaches = async (trigger: ReturnType<typeof pushOf>, project: object = PROJECT) => {
    const world = control(repository, project);
    const planned = await world.plan(trigger);
    const held = JSON.stringify(world.spec(planned, 'j')).includes('env:DEPLOY_KEY');
    expect([planned.plan.trust?.protectedRef, held]).toEqual([held, held]);
    return { held, warnings: planned.warnings };
  };

  test("a push to main, and an operator's request for a commit of main", async () => {
    expect((await reaches(pushOf(repository))).held).toBe(true);
    expect((await reaches(requestOf(repository, 'operator'))).held).toBe(true);
    const older = requestOf(repository, 'operator', { sha: repository.heads.first ?? '' });
    expect((await reaches(older)).held).toBe(true);
  });

  test('never the name of main with the commit of another branch', async () => {
    const evil = { sha: repository.heads['dev/evil'] ?? '' };
    const asked = await reaches(requestOf(repository, 'operator', evil));
    expect(asked.held).toBe(false);
    expect(asked.warnings.join()).toContain('does not hold the commit');
    expect((await reaches(requestOf(repository, 'developer', evil))).held).toBe(false);
  });

  test('nothing that a developer starts, unless the project says so', async () => {
    expect((await reaches(requestOf(repository, 'developer'))).held).toBe(false);
    const open = { ...PROJECT, start_protected: ['developer'] };
    expect((await reaches(requestOf(repository, 'developer'), open)).held).toBe(true);
    const named = { ...PROJECT, start_protected: ['the developer'] };
    expect((await reaches(requestOf(repository, 'developer'), named)).held).toBe(true);
    expect((await reaches(requestOf(repository, 'operator'), named)).held).toBe(false);
  });

  test('no tag with the name of a protected branch; a tag of the list of tags', async () => {
    const sha = repository.heads['dev/evil'] ?? '';
    const tag = { source: 'tag', refKind: 'tag', ref: 'main', sha } as const;
    expect((await reaches(pushOf(repository, tag))).held).toBe(false);
    const tags = { ...PROJECT, protected_tags: ['v*'] };
    const release = { source: 'tag', refKind: 'tag', ref: 'v1' } as const;
    expect((await reaches(pushOf(repository, release), tags)).held).toBe(true);
    expect((await reaches(requestOf(repository, 'operator', { ...release, source: 'api' }), tags)).held).toBe(
      true,
    );
    const moved = requestOf(repository, 'operator', { ...release, source: 'api', sha });
    expect((await reaches(moved, tags)).held).toBe(false);
  });

  test('a branch or tag that is gone holds nothing', async () => {
    const gone = { ...PROJECT, protected_branches: ['gone'] };
    expect((await reaches(requestOf(repository, 'operator', { ref: 'gone' }), gone)).held).toBe(false);
  });
});

test('on a protected ref a run sets nothing that davit, the project or an image name has', async () => {
  const variables = {
    DAVIT_HELPER_IMAGE: 'evil/helper',
    CI_COMMIT_REF_PROTECTED: 'false',
    DEPLOY_KEY: 'x',
    PLAIN: 'x',
    TOOL: 'evil/tool',
    NEW: 'fine',
  };
  const world = control(repository, PROJECT);
  const planned = await world.plan(requestOf(repository, 'operator', { variables }));
  const [j, helper] = [world.spec(planned, 'j'), world.spec(planned, 'helper')];
  expect([j, helper]).toMatchObject([
    { image: { name: 'safe/tool' } },
    { image: { name: 'davit/helper:1' }, services: [{ name: 'safe/tool' }] },
  ]);
  const value = (name: string) => j.variables.find((one) => one.name === name)?.value;
  expect(value('CI_COMMIT_REF_PROTECTED')).toEqual({ literal: 'true' });
  expect(value('PLAIN')).toEqual({ literal: 'of the project' });
  expect(value('DEPLOY_KEY')).toEqual({ secret: 'env:DEPLOY_KEY' });
  expect(value('NEW')).toEqual({ literal: 'fine' });
  const warned = planned.warnings.join('\n');
  for (const name of ['DAVIT_HELPER_IMAGE', 'CI_COMMIT_REF_PROTECTED', 'DEPLOY_KEY', 'PLAIN', 'image of "j"'])
    expect(warned).toContain(name);
  const dev = { ref: 'dev/evil', sha: repository.heads['dev/evil'] ?? '', variables };
  const own = await world.plan(requestOf(repository, 'developer', dev));
  expect(world.spec(own, 'j')).toMatchObject({ image: { name: 'evil/tool' } });
});

describe('the server', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await testServer({
      projects: [{ name: 'table', clone_url: repository.url, protected_tags: ['v*'] }],
    });
  });
  afterAll(() => server.close());
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

  test('starts a protected ref for those who may', async () => {
    const denied = await start(TOKENS.developer);
    expect([denied.statusCode, denied.json().error.code]).toEqual([403, 'auth/denied']);
    expect((await start(TOKENS.developer, { ref: 'v1', refKind: 'tag' })).statusCode).toBe(403);
    expect((await start(TOKENS.developer, { ref: 'dev' })).statusCode).toBe(202);
    expect((await start(TOKENS.operator)).statusCode).toBe(202);
    expect(server.workflows.triggers.map((one) => [one.role, one.local])).toEqual([
      ['developer', undefined],
      ['operator', undefined],
    ]);
    expect((await start(TOKENS.operator, { local: true })).statusCode).toBe(400);
    await start(TOKENS.cli);
    expect(server.workflows.triggers.at(-1)?.local).toBe(true);
  });

  test('resolves the ref itself where the request names no commit', async () => {
    expect((await start(TOKENS.developer, { sha: undefined })).statusCode).toBe(403);
    expect((await start(TOKENS.operator, { sha: undefined })).statusCode).toBe(202);
    expect(server.workflows.triggers.at(-1)?.sha).toBe('d'.repeat(40));
    const resolve = refResolver({
      source: gitSource({ protocols: ['file'] }),
      secrets: { resolve: async () => '' },
      records: { get: async () => undefined },
    });
    const [project] = server.installation.projects;
    if (!project) throw new Error('no project');
    const sha = async (ref?: string, refKind?: 'branch' | 'tag') =>
      (await resolve(project, { ref, refKind })).sha;
    expect(await sha('main', 'branch')).toBe(repository.heads.main);
    expect(await sha('main', 'tag')).toBe(repository.heads['dev/evil']);
    expect(await sha('refs/heads/main')).toBe(repository.heads.main);
    expect(await resolve(project, { ref: 'refs/tags/main' })).toMatchObject({ ref: 'main', refKind: 'tag' });
    expect(await resolve(project, { ref: 'dev/evil' })).toMatchObject({ refKind: 'branch' });
    expect(await resolve(project, {})).toEqual({
      ref: 'main',
      refKind: 'branch',
      sha: repository.heads.main,
    });
    // What is a branch and a tag has to be written in full.
    await expect(sha('main')).rejects.toMatchObject({ code: 'usage/invalid' });
    await expect(sha('refs/heads/dev/none')).rejects.toThrow('no branch dev/none');
    await expect(resolve(project, { ref: 'gone', refKind: 'branch' })).rejects.toMatchObject({
      code: 'git/no-commit',
    });
  });

  test('retries jobs of a protected ref for those who may', async () => {
    const jobs = [job('a', { phase: 'ended', outcome: 'failed' })];
    server.workflows.open.set('table/1', pipeline('table/1', { jobs, protected: true }));
    server.workflows.open.set('table/2', pipeline('table/2', { jobs }));
    const retry = (id: string, token: string) =>
      server.app.inject({
        method: 'POST',
        url: `/api/v1/pipelines/${id}/decisions`,
        headers: bearer(token),
        payload: { action: 'retry', job: 'a' },
      });
    expect((await retry('table/1', TOKENS.developer)).json().error.code).toBe('auth/denied');
    expect((await retry('table/1', TOKENS.operator)).statusCode).toBe(200);
    expect((await retry('table/2', TOKENS.developer)).statusCode).toBe(200);
  });
});

test('the former key of the installation file is read as branches, with a warning', () => {
  const answer = parseInstallation('projects: [{name: a, protected_refs: [main, "v*"]}]', 'davit.config.yml');
  if (!answer.ok) throw new Error('refused');
  expect(answer.warnings.map((one) => one.message).join()).toContain('branches only');
  expect(answer.value.projects[0]?.protected_tags).toEqual([]);
});
