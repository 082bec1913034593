/** Repositories for scripts, by CI_JOB_TOKEN: a real forge, a real git, and at last a real job. */
import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { networkInterfaces, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createAuthority, issueCertificate } from '../../src/local/authority/authority.ts';
import { trustAuthority } from '../../src/local/process/trust.ts';
import type { StartResponse } from '../../src/server/api.ts';
import { eventually, ownDavit, repositoryOf, type OwnDavit } from '../support/davit.ts';
import { gitForge, type GitForge } from '../support/git-forge.ts';
import { gitImage } from '../support/git-image.ts';
import { ownRegistryWorld, type OwnRegistryWorld } from '../support/own-registry.ts';
import { freePort } from '../support/port.ts';
import { filesWith, workflowHistories } from '../support/sinks.ts';

const ACCOUNT = { username: 'oauth2', password: 'the-token-of-the-forge-0123' };
const NAMES = ['alpha', 'beta', 'open', 'closed'];
const IMAGE = `davit-test/git-${process.pid}:1`;
const CI = `job:
  image: ${IMAGE}
  script:
    - git clone -q "$CI_REPOSITORY_URL" again
    - cat again/README
    - git -C again log --format=%s
    - if git -C again push -q origin HEAD:refs/heads/new; then exit 1; fi
    - git clone -q "$(echo "$CI_REPOSITORY_URL" | sed s/alpha.git/open.git/)" other
    - if git clone -q "$(echo "$CI_REPOSITORY_URL" | sed s/alpha.git/closed.git/)" no; then exit 1; fi
`;

let root: string;
let forge: GitForge;
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'davit-forge-'));
  for (const name of NAMES) {
    const source = join(root, `source-${name}`);
    mkdirSync(source);
    writeFileSync(join(source, 'README'), `this is ${name}\n`);
    writeFileSync(join(source, '.gitlab-ci.yml'), CI);
    const repository = repositoryOf(source, name);
    execFileSync('git', ['clone', '-q', '--bare', repository, join(root, `${name}.git`)]);
    rmSync(dirname(repository), { recursive: true });
  }
  forge = await gitForge(root, ACCOUNT);
});
afterAll(async () => {
  await forge.close();
  rmSync(root, { recursive: true, force: true });
});

const projects = (secret: string) => [
  { name: 'alpha', clone_url: `${forge.url}/alpha.git`, clone_token: secret },
  { name: 'beta', clone_url: `${forge.url}/beta.git`, clone_token: secret, git_to: ['alpha'] },
  { name: 'open', clone_url: `${forge.url}/open.git`, clone_token: secret, git_to: ['*'] },
  { name: 'closed', clone_url: `${forge.url}/closed.git`, clone_token: secret },
  { name: 'shell', clone_url: 'git@forge.test:shell.git', git_to: ['*'] },
  { name: 'moved', clone_url: `${forge.url}/alpha`, clone_token: secret, git_to: ['*'] },
];

describe('a job', () => {
  let world: OwnRegistryWorld;
  beforeAll(async () => {
    world = await ownRegistryWorld({ projects: projects('env:T'), secrets: { 'env:T': ACCOUNT.password } });
  });
  afterAll(() => world.close());

  /** Not synchronous: forge and server are in this process. */
  function git(...args: string[]): Promise<{ code: number; said: string }> {
    const env = {
      ...process.env,
      GIT_TERMINAL_PROMPT: '0',
      GIT_ASKPASS: 'true',
      GIT_CONFIG_GLOBAL: '/dev/null',
    };
    return new Promise((resolve) => {
      execFile('git', args, { env, timeout: 60_000 }, (error, stdout, stderr) =>
        resolve({ code: error ? 1 : 0, said: `${stdout}${stderr}` }),
      );
    });
  }
  const address = (name: string, password: string): string =>
    `${world.url.replace('//', `//gitlab-ci-token:${password}@`)}/git/${name}.git`;
  async function readable(password: string): Promise<string[]> {
    const found: string[] = [];
    for (const name of [...NAMES, 'shell', 'moved', 'nothing'])
      if ((await git('ls-remote', address(name, password))).code === 0) found.push(name);
    return found;
  }

  test('clones and fetches its own repository, and those that are given to it', async () => {
    const use = await world.job('alpha');
    const password = (await world.stores.credentials.forJob(use)) ?? '';
    expect(await readable(password)).toEqual(['alpha', 'beta', 'open']);
    for (const version of ['0', '1', '2']) {
      const to = join(root, `clone-${version}`);
      const { code, said } = await git(
        '-c',
        `protocol.version=${version}`,
        'clone',
        address('alpha', password),
        to,
      );
      expect(code, said).toBe(0);
      expect(execFileSync('cat', [join(to, 'README')], { encoding: 'utf8' })).toBe('this is alpha\n');
      expect(said).not.toContain(ACCOUNT.password);
    }
    await world.end(use);
    expect(await readable(password)).toEqual([]);
  });

  test('of another project, or of a fork, reads what is for it', async () => {
    const of = async (project: string, fork: boolean): Promise<string> =>
      (await world.stores.credentials.forJob(await world.job(project, { fork }))) ?? '';
    expect(await readable(await of('closed', false))).toEqual(['open', 'closed']);
    expect(await readable(await of('alpha', true))).toEqual(['open']);
    expect(await readable('wrong')).toEqual([]);
  });

  test('writes nothing, and reaches nothing else of the forge', async () => {
    const password = (await world.stores.credentials.forJob(await world.job('alpha'))) ?? '';
    const pushed = await git(
      '-C',
      join(root, 'clone-2'),
      'push',
      address('alpha', password),
      'HEAD:refs/heads/new',
    );
    expect(pushed.code).not.toBe(0);
    expect(
      execFileSync('git', ['-C', join(root, 'alpha.git'), 'branch', '--list', 'new'], { encoding: 'utf8' }),
    ).toBe('');
    const headers = { authorization: `Basic ${Buffer.from(`x:${password}`).toString('base64')}` };
    for (const path of [
      'alpha.git/info/refs',
      'alpha.git/info/refs?service=git-receive-pack',
      'alpha.git/HEAD',
      'alpha.git/git-receive-pack',
      '..%2fclosed.git/info/refs?service=git-upload-pack',
      'alpha%2f..%2fclosed.git/info/refs?service=git-upload-pack',
    ])
      expect((await fetch(`${world.url}/git/${path}`, { headers })).status, path).toBeGreaterThanOrEqual(400);
    expect(forge.refused).toBe(0);
  });
});

/** In no file of the machine and no payload of Temporal: tokens that the server made, and its own outside of their files. */
async function expectTokensHidden({ home, run, api }: OwnDavit): Promise<void> {
  const headers = { 'content-type': 'application/json' };
  const body = JSON.stringify({ name: 'board' });
  const { token } = await api<{ token: string }>('/api/v1/worker-tokens', { method: 'POST', body, headers });
  const keys = (name: string): string => readFileSync(join(home, 'keys', name), 'utf8').trim();
  const at = (text: string): string[] => filesWith(home, text);
  expect(token).toMatch(/^[0-9a-f]{64}$/);
  expect(at(token)).toEqual([]);
  const shapes = ['davit-job_', 'davit-pull_', 'davit-deploy_', 'davit-attempt.'];
  expect(shapes.flatMap(at)).toEqual([]);
  for (const name of ['cli-token', 'control-token', 'installation-key'])
    expect(at(keys(name))).toEqual([`keys/${name}`]);
  const connection = await Connection.connect({ address: run.temporal });
  const histories = await workflowHistories(new Client({ connection, namespace: run.namespace }));
  await connection.close();
  const own = ['cli-token', 'control-token', 'installation-key'].map(keys);
  expect(histories.size).toBeGreaterThan(1);
  for (const [name, text] of histories)
    for (const one of [...shapes, ...own, token, ACCOUNT.password])
      expect(text.includes(one), name).toBe(false);
}

/** A certificate of an authority of davit's own, which no image trusts. */
async function certificateFor(host: string): Promise<{ tls: object; caFile: string }> {
  const folder = join(root, 'ca');
  await createAuthority(folder, 'davit');
  await issueCertificate(folder, { name: 'server', kind: 'server', hosts: [host], days: 30 });
  const caFile = join(folder, 'ca.crt');
  trustAuthority({ caFile, home: root });
  return { tls: { cert: join(folder, 'server.crt'), key: join(folder, 'server.key') }, caFile };
}

test.each([
  ['http', async () => ({})],
  ['https with an authority of its own', certificateFor],
])(
  'a script clones by CI_REPOSITORY_URL in a container, whose network does not reach the forge: %s',
  async (_kind, certificate) => {
    gitImage(IMAGE);
    const port = await freePort();
    const own = Object.values(networkInterfaces()).flat();
    const machine = own.find((one) => one?.family === 'IPv4' && !one.internal)?.address ?? '';
    const secret = join(root, 'secret');
    writeFileSync(secret, ACCOUNT.password);
    const made: { tls?: object; caFile?: string } = await certificate(machine);
    const config = {
      url: `${made.tls ? 'https' : 'http'}://${machine}:${port}`,
      ...(made.tls && { tls: made.tls }),
      listen: { host: '0.0.0.0', port, insecure: true },
      projects: projects(`file:${secret}`),
    };
    let davit: OwnDavit | undefined;
    try {
      davit = await ownDavit({
        arches: ['amd64'],
        config: JSON.stringify(config),
        ...(made.caFile !== undefined && { env: { DAVIT_CA_FILE: made.caFile } }),
      });
      const { key } = await davit.api<StartResponse>('/api/v1/projects/alpha/pipelines', {
        method: 'POST',
        body: JSON.stringify({
          key: `request:${randomUUID()}`,
          source: 'api',
          ref: 'main',
          refKind: 'branch',
          before: '0'.repeat(40),
          title: 'x',
        }),
        headers: { 'content-type': 'application/json' },
      });
      const { api, verdict, cli } = davit;
      const id = await eventually('the pipeline', 60_000, async () => {
        const path = `/api/v1/projects/alpha/requests/${encodeURIComponent(key)}?wait=10`;
        return (await api<{ pipeline?: string }>(path)).pipeline;
      });
      const { state } = await verdict(id, 120_000);
      const log = (await cli(['logs', id, 'job'])).stdout;
      expect(state, log).toBe('success');
      expect(log).toContain('this is alpha');
      expect(log).not.toContain('davit-job_');
      expect(log).not.toContain(ACCOUNT.password);
      await expectTokensHidden(davit);
      // Its engine fetches the registry's tokens from that server.
      const findings = JSON.parse((await cli(['doctor', '--json'])).stdout) as unknown;
      expect(JSON.stringify(findings)).toContain('"registry, from the engine","verdict":"ok"');
    } finally {
      await davit?.stop();
      spawnSync('docker', ['image', 'rm', '--force', IMAGE]);
    }
  },
  240_000,
);
