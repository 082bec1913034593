/** Every kind of credential against every kind of repository of davit's own registry, a real one. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { JobUse } from '../../src/adapters/ports.ts';
import { configuredRegistries } from '../../src/adapters/registry/configured.ts';
import { registryClient } from '../../src/adapters/registry/index.ts';
import { ownRegistry } from '../../src/adapters/registry/own.ts';
import { readSettings } from '../../src/config.ts';
import { checkServices } from '../../src/local/doctor/services.ts';
import { startRegistry } from '../support/registry.ts';
import { memorySecrets } from '../support/job-stores.ts';
import { ownRegistryWorld, type OwnRegistryWorld } from '../support/own-registry.ts';
import { TOKENS } from '../support/server.ts';
import { sha256 } from '../../src/utils/sha256.ts';

const PROJECTS = [
  { name: 'alpha', push_to: ['*/shared/*'] },
  { name: 'beta' },
  { name: 'open', images_to: ['*'] },
  { name: 'given', images_to: ['alpha'] },
];
const REPOSITORIES = [
  'alpha',
  'alpha/api',
  'alpha/pipelines/protected',
  'alpha/pipelines/branches',
  'alpha/cache/protected/api',
  'alpha/cache/branches',
  'alphabet',
  'beta',
  'beta/api',
  'beta/pipelines/branches',
  'beta/cache/protected',
  'open/api',
  'given/api',
  'forks/alpha',
  'forks/beta',
  'base',
  'shared/tools',
];
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const CONFIG = Buffer.from('{}');

let world: OwnRegistryWorld;
let digest: string;
beforeAll(async () => {
  world = await ownRegistryWorld({ projects: PROJECTS });
  digest = await fill();
});
afterAll(() => world.close());

const all = (repository: string): string => `repository:${repository}:pull,push,delete`;
async function call(
  method: string,
  path: string,
  token: string | undefined,
  body?: Buffer,
): Promise<Response> {
  return fetch(`http://${world.registry.host}/v2/${path}`, {
    method,
    headers: {
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(body && { 'content-type': path.includes('manifests') ? MANIFEST : 'application/octet-stream' }),
    },
    ...(body && { body: new Uint8Array(body) }),
  });
}
/** The same small image in every repository, by an operator. */
async function fill(): Promise<string> {
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MANIFEST,
      config: {
        mediaType: 'application/vnd.oci.image.config.v1+json',
        digest: `sha256:${sha256(CONFIG)}`,
        size: CONFIG.length,
      },
      layers: [],
    }),
  );
  for (const repository of REPOSITORIES) {
    const token = await world.token(TOKENS.operator, [all(repository)]);
    const upload = await call('POST', `${repository}/blobs/uploads/`, token);
    expect(upload.status, repository).toBe(202);
    const url = new URL(upload.headers.get('location') ?? '');
    url.searchParams.set('digest', `sha256:${sha256(CONFIG)}`);
    const put = await call('PUT', `${url.pathname.slice('/v2/'.length)}${url.search}`, token, CONFIG);
    expect(put.status).toBe(201);
    expect((await call('PUT', `${repository}/manifests/1`, token, manifest)).status).toBe(201);
  }
  return `sha256:${sha256(manifest)}`;
}

/** What the registry itself lets pass, for one token that was asked for everything: `p`ull, push (`w`rite), `d`elete. */
async function rights(password: string | undefined, repository: string): Promise<string> {
  const token = await world.token(password, [all(repository)]);
  const passed = async (method: string, path: string): Promise<boolean> => {
    const { status } = await call(method, `${repository}/${path}`, token);
    return status !== 401 && status !== 403;
  };
  const [pull, write, remove] = [
    await passed('GET', `manifests/${digest}`),
    await passed('POST', 'blobs/uploads/'),
    await passed('DELETE', `manifests/sha256:${'0'.repeat(64)}`),
  ];
  return `${pull ? 'p' : ''}${write ? 'w' : ''}${remove ? 'd' : ''}`;
}

type Row = [who: string, password: () => Promise<string | undefined>, may: Record<string, string>];
const job =
  (project: string, more: Partial<JobUse['job']> = {}) =>
  async (): Promise<string | undefined> =>
    world.stores.credentials.forJob(await world.job(project, more));
const work =
  (project: string, more: Partial<JobUse['job']>, writes: string[]) =>
  async (): Promise<string | undefined> =>
    world.stores.credentials.forJob({ ...(await world.job(project, more)), writes });
const every = (may: string): Record<string, string> =>
  Object.fromEntries(REPOSITORIES.map((name) => [name, may]));
/** What every job of alpha that is not a fork may do. */
const ALPHA = {
  alpha: 'pw',
  'alpha/api': 'pw',
  'alpha/pipelines/protected': 'p',
  'alpha/pipelines/branches': 'p',
  'alpha/cache/protected/api': 'p',
  'alpha/cache/branches': 'p',
  alphabet: 'p',
  'open/api': 'p',
  'given/api': 'p',
  base: 'p',
  'shared/tools': 'pw',
  'forks/alpha': 'p',
};
const ROWS: Row[] = [
  ['nobody', async () => undefined, {}],
  ['a wrong password', async () => 'a-token-that-nobody-ever-had', {}],
  ["the workers' token", async () => TOKENS.worker, {}],
  ['a job of a branch', job('alpha'), ALPHA],
  ['a job of a protected ref', job('alpha', { protectedRef: true }), ALPHA],
  ['a job of a fork', job('alpha', { fork: true }), { 'open/api': 'p', 'forks/alpha': 'p' }],
  [
    'a job of another project',
    job('beta'),
    {
      beta: 'pw',
      'beta/api': 'pw',
      'beta/pipelines/branches': 'p',
      'beta/cache/protected': 'p',
      'forks/beta': 'p',
      alphabet: 'p',
      'open/api': 'p',
      base: 'p',
      'shared/tools': 'p',
    },
  ],
  [
    "davit's work for a branch",
    work('alpha', {}, ['alpha/pipelines/branches', 'alpha/cache/branches']),
    { ...ALPHA, 'alpha/pipelines/branches': 'pw', 'alpha/cache/branches': 'pw' },
  ],
  [
    "davit's work for a protected ref",
    work('alpha', { protectedRef: true }, ['alpha/pipelines/protected', 'alpha/cache/protected/api']),
    { ...ALPHA, 'alpha/pipelines/protected': 'pw', 'alpha/cache/protected/api': 'pw' },
  ],
  [
    "davit's work for a fork",
    work('alpha', { fork: true }, ['forks/alpha']),
    { 'open/api': 'p', 'forks/alpha': 'pw' },
  ],
  ['a reader', async () => TOKENS.reader, every('p')],
  ['a developer', async () => TOKENS.developer, every('p')],
  ['an operator', async () => TOKENS.operator, every('pwd')],
  [
    'a deploy token',
    () => world.stores.credentials.forTarget({ project: 'alpha', target: 'prod', repository: 'alpha/api' }),
    { 'alpha/api': 'p' },
  ],
  ['a worker that fetches an image', () => world.stores.credentials.forPull('base'), { base: 'p' }],
];

describe('each credential', () => {
  test.each(ROWS)('%s has its rights in every repository, and no other', async (_who, password, may) => {
    const text = await password();
    const found: Record<string, string> = {};
    for (const repository of REPOSITORIES) found[repository] = await rights(text, repository);
    expect(found).toEqual({ ...every(''), ...may });
  });

  test.each(ROWS)('%s lists all repositories only as an operator', async (who, password) => {
    const token = await world.token(await password(), ['registry:catalog:*']);
    const { status } = await call('GET', '_catalog', token);
    expect(status).toBe(who === 'an operator' ? 200 : 401);
  });

  test('mounts no layer from a repository that it may not pull', async () => {
    const token = await world.token(await job('alpha')(), [all('alpha/api'), 'repository:beta:pull']);
    const blob = `sha256:${sha256(CONFIG)}`;
    const mount = async (from: string): Promise<number> =>
      (await call('POST', `alpha/api/blobs/uploads/?mount=${blob}&from=${from}`, token)).status;
    expect(await mount('beta')).toBe(401);
    expect(await mount('alpha/api')).toBe(201);
  });
});

describe('a credential of a job', () => {
  test('ends with the attempt', async () => {
    const use = await world.job('alpha');
    const password = await world.stores.credentials.forJob(use);
    expect(await rights(password, 'alpha')).toBe('pw');
    await world.end(use);
    expect(await world.token(password, [all('alpha')])).toBeUndefined();
  });

  test('is of nobody before its log is open, and after its time', async () => {
    const use = await world.job('alpha');
    const unknown = { ...use, attempt: { ...use.attempt, attempt: 2 } };
    for (const of of [unknown, { ...use, forMs: -2 * 3_600_000 }]) {
      const password = world.server.deps.credentials.forJob(of, of.forMs);
      expect(await world.token(password, [all('alpha')])).toBeUndefined();
    }
  });

  test('is not believed when a part of it is changed, or is of another server', async () => {
    const password = (await job('alpha')()) ?? '';
    const [head = '', code = ''] = password.split('.');
    const claims = Buffer.from(head.slice('davit-job_'.length), 'base64url').toString();
    const other = Buffer.from(claims.replace('"alpha"', '"beta"')).toString('base64url');
    for (const text of [`davit-job_${other}.${code}`, `${head}.`, `${head}.${code.slice(1)}`, head])
      expect(await world.token(text, [all('beta')]), text).toBeUndefined();
  });

  test('writes for davit only what a job of that kind leaves', async () => {
    const cases: [project: string, more: Partial<JobUse['job']>, repository: string][] = [
      ['alpha', {}, 'alpha/cache/protected/api'],
      ['alpha', {}, 'alpha/pipelines/protected'],
      ['alpha', { protectedRef: true }, 'beta'],
      ['alpha', { protectedRef: true }, 'forks/alpha'],
      ['alpha', { fork: true }, 'alpha'],
      ['alpha', { fork: true }, 'forks/beta'],
    ];
    for (const [project, more, repository] of cases)
      await expect(work(project, more, [repository])(), repository).rejects.toMatchObject({
        code: 'auth/denied',
      });
  });
});

describe('a deploy token', () => {
  const of = { project: 'alpha', target: 'swarm', repository: 'alpha/api' };
  test('is the same for a target and a repository until it is revoked, and then another', async () => {
    const first = await world.stores.credentials.forTarget(of);
    expect(await world.stores.credentials.forTarget({ ...of, project: 'beta' })).toBe(first);
    expect(await world.stores.credentials.forTarget({ ...of, target: 'other' })).not.toBe(first);
    expect(await rights(first, 'alpha/api')).toBe('p');
    const operator = { authorization: `Bearer ${TOKENS.operator}` };
    const listed = await world.server.app.inject({ url: '/api/v1/deploy-tokens', headers: operator });
    const [one] = (JSON.parse(listed.body) as { id: string; target: string; repository: string }[]).filter(
      ({ target }) => target === 'swarm',
    );
    expect(one).toMatchObject(of);
    expect(listed.body).not.toContain(first.split('.')[1]);
    const url = `/api/v1/deploy-tokens/${one?.id}/revoke`;
    const revoked = await world.server.app.inject({ method: 'POST', url, headers: operator });
    expect(JSON.parse(revoked.body)).toMatchObject({ id: one?.id, revokedBy: 'the operator' });
    expect(await world.token(first, [all('alpha/api')])).toBeUndefined();
    const second = await world.stores.credentials.forTarget(of);
    expect(second).not.toBe(first);
    expect(await rights(second, 'alpha/api')).toBe('p');
    expect(await world.token(first, [all('alpha/api')])).toBeUndefined();
  });

  test('is made and revoked by no worker', async () => {
    await expect(
      world.stores.records.put('deploy-tokens/0123456789abcdef/000001', { id: 'x' }),
    ).rejects.toMatchObject({ code: 'auth/denied' });
  });
});

test('the client of a worker reads and writes by these tokens, and no other registry gets one', async () => {
  const { registry, stores } = world;
  const registries = configuredRegistries(
    [],
    memorySecrets(),
    ownRegistry({ host: registry.host, tokenUrls: [] }, stores.credentials),
  );
  const use = await world.job('alpha');
  const own = await registries.forImage(`${registry.host}/alpha/api:1`, { use });
  expect(await own.registry.manifest(own.repository, '1')).toMatchObject({ digest });
  const beta = await registries.forImage(`${registry.host}/beta:1`, { use });
  await expect(beta.registry.manifest(beta.repository, '1')).rejects.toMatchObject({
    code: 'registry/denied',
  });
  expect(await registries.authFor('registry.example.com/alpha:1', { use })).toBeUndefined();
  const anonymous = registryClient({ host: registry.host, insecure: true });
  await expect(anonymous.manifest('alpha', '1')).rejects.toMatchObject({ code: 'registry/denied' });
});

test('davit doctor warns of a registry that asks nobody', async () => {
  const open = await startRegistry();
  try {
    const found = async (registry: string) => {
      const settings = { ...readSettings({}), serverUrl: world.url, registry };
      const findings = await checkServices({
        settings,
        workers: async () => [],
        reconciliation: async () => [],
        commitStatuses: async () => [],
        temporalUi: async () => undefined,
      });
      return findings.find(({ name }) => name === 'registry');
    };
    expect(await found(world.registry.host)).toMatchObject({ verdict: 'ok' });
    expect(await found(open.host)).toMatchObject({
      verdict: 'warn',
      found: expect.stringContaining('asks for no token'),
    });
  } finally {
    await open.stop();
  }
});
