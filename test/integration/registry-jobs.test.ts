/**
 * davit's own registry as jobs and targets meet it: `docker login`, push and pull in scripts, builds, a service that
 * is scheduled again after its job has ended, and what the tokens are worth afterwards.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { HELPER_IMAGE } from '../../src/installation.ts';
import { sha256 } from '../../src/utils/sha256.ts';
import { eventually, ownDavit, repositoryOf, type OwnDavit } from '../support/davit.ts';
import { dockerClientImages } from '../support/docker-client.ts';

const RUN_MS = 180_000;
const DEVELOPER = 'the-token-of-a-developer-0123456789';
const ARCH = process.arch === 'arm64' ? 'arm64' : 'amd64';
const SERVICE = `davit-test-registry-${process.pid}`;
const CLIENT = `davit-test/registry-client-${process.pid}`;

let davit: OwnDavit;
const folders: string[] = [];
const docker = (...args: string[]): string => execFileSync('docker', args, { encoding: 'utf8' });

beforeAll(async () => {
  davit = await ownDavit({
    args: ['--swarm'],
    arches: [ARCH],
    worker: 'engine_socket: { projects: [alpha, beta], refs: branches }\n',
    config: `limits: { release_delay: 1s, cancel_grace: 1s }
projects: [{ name: alpha }, { name: beta }]
users: [{ name: dev, role: developer, token_sha256: ${sha256(DEVELOPER)} }]
`,
  });
  dockerClientImages(CLIENT, [ARCH]);
}, RUN_MS);
afterAll(async () => {
  spawnSync('docker', ['service', 'rm', SERVICE]);
  await davit.stop();
  spawnSync('docker', ['image', 'rm', '--force', `${CLIENT}:${ARCH}`]);
  for (const folder of folders) rmSync(dirname(folder), { recursive: true, force: true });
});

/** Runs one pipeline and returns its id. */
async function run(project: string, yaml: string, token?: string): Promise<string> {
  const source = mkdtempSync(join(tmpdir(), 'davit-registry-'));
  writeFileSync(join(source, '.gitlab-ci.yml'), yaml);
  writeFileSync(join(source, 'Dockerfile'), `FROM ${HELPER_IMAGE}\nCMD ["sleep", "3600"]\n`);
  const folder = repositoryOf(source, project);
  rmSync(source, { recursive: true });
  folders.push(folder);
  const id = await davit.start(project, folder, token);
  const status = await davit.verdict(id, RUN_MS);
  const logs = await Promise.all(
    status.jobs.map(async ({ key }) => (await davit.cli(['logs', id, key])).stdout),
  );
  expect(status.state, `${JSON.stringify(status)}\n${logs.join('\n')}`).toBe('success');
  return id;
}
const script = (lines: readonly string[]): string => `job:
  image: ${CLIENT}:${ARCH}
  artifacts: { paths: [token] }
  script:
${lines.map((line) => `    - |\n      ${line.replaceAll('\n', '\n      ')}\n`).join('')}`;
/** What the classic and the containerd store push. */
const MANIFEST =
  'application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json';
const LOGIN = 'docker login -u "$CI_REGISTRY_USER" -p "$CI_REGISTRY_PASSWORD" "$CI_REGISTRY"';

/** The only file of the job's artifact. */
async function artifact(id: string): Promise<string> {
  const token = execFileSync('cat', [join(davit.home, 'keys', 'cli-token')], { encoding: 'utf8' }).trim();
  const reply = await fetch(`${davit.run.server}/api/v1/pipelines/${id}/artifacts?job=job`, {
    headers: { authorization: `Bearer ${token}` },
  });
  return execFileSync('tar', ['-xzO'], { input: Buffer.from(await reply.arrayBuffer()), encoding: 'utf8' });
}
async function tokenStatus(password: string): Promise<number> {
  const basic = Buffer.from(`gitlab-ci-token:${password}`).toString('base64');
  const url = `${davit.run.server}/registry/token?scope=repository:alpha/tools:pull`;
  return (await fetch(url, { headers: { authorization: `Basic ${basic}` } })).status;
}

describe('a script', () => {
  test(
    'logs in, pushes and pulls its own images with CI_REGISTRY_PASSWORD, which ends with the job',
    async () => {
      const id = await run(
        'alpha',
        script([
          'test "$CI_REGISTRY_USER" = gitlab-ci-token && test "$CI_JOB_TOKEN" = "$CI_REGISTRY_PASSWORD"',
          LOGIN,
          `docker tag ${HELPER_IMAGE} "$CI_REGISTRY/alpha/tools:1"
docker push -q "$CI_REGISTRY/alpha/tools:1"
docker image rm "$CI_REGISTRY/alpha/tools:1"
docker pull -q "$CI_REGISTRY/alpha/tools:1"`,
          'printf %s "$CI_REGISTRY_PASSWORD" >token',
        ]),
        DEVELOPER,
      );
      const password = await artifact(id);
      expect(password).toMatch(/^davit-job_/);
      expect(await tokenStatus(password)).toBe(401);
      expect((await davit.registry('alpha/tools/manifests/1', { accept: MANIFEST })).status).toBe(200);
      const log = (await davit.cli(['logs', id, 'job'])).stdout;
      expect(log).toContain('Login Succeeded');
      expect(log).not.toContain('davit-job_');
    },
    RUN_MS,
  );

  test(
    'reads and moves nothing of another project, nor what only davit writes, and removes nothing',
    async () => {
      const no = (command: string): string => `if ${command}; then echo "did: ${command}"; exit 1; fi`;
      await run(
        'beta',
        script([
          LOGIN,
          ...['pull', 'push'].map(
            (verb) => `docker tag ${HELPER_IMAGE} "$CI_REGISTRY/alpha/tools:1"
${no(`docker ${verb} -q "$CI_REGISTRY/alpha/tools:1"`)}
docker image rm "$CI_REGISTRY/alpha/tools:1"`,
          ),
          ...['beta/cache/protected', 'beta/pipelines/protected', 'forks/beta'].map(
            (name) => `docker tag ${HELPER_IMAGE} "$CI_REGISTRY/${name}:cache-amd64"
${no(`docker push -q "$CI_REGISTRY/${name}:cache-amd64"`)}
docker image rm "$CI_REGISTRY/${name}:cache-amd64"`,
          ),
          'touch token',
        ]),
        DEVELOPER,
      );
      const before = (await davit.registry('alpha/tools/manifests/1', { accept: MANIFEST })).headers.get(
        'docker-content-digest',
      );
      // Without any account, which is what every job had before.
      for (const method of ['GET', 'DELETE'])
        expect(
          (await fetch(`http://${davit.run.registry}/v2/alpha/tools/manifests/${before}`, { method })).status,
        ).toBe(401);
    },
    RUN_MS,
  );
});

describe('a deployment', () => {
  const state = (): string[] =>
    docker('service', 'ps', SERVICE, '--format', '{{.CurrentState}} {{.Error}}').split('\n');
  const scale = (replicas: number): void =>
    void docker('service', 'scale', '--detach', `${SERVICE}=${replicas}`);
  const image = (): string =>
    docker('service', 'inspect', SERVICE, '--format', '{{.Spec.TaskTemplate.ContainerSpec.Image}}').trim();
  /** Away from the engine: the next task has to pull it. */
  const forget = async (): Promise<void> => {
    scale(0);
    await eventually('no container of the service', 60_000, () =>
      docker('ps', '-aq', '--filter', `label=com.docker.swarm.service.name=${SERVICE}`).trim() === ''
        ? true
        : undefined,
    );
    const id = docker('image', 'inspect', image(), '--format', '{{.Id}}').trim();
    docker('image', 'rm', '--force', id);
  };

  test(
    'is pulled again by the swarm long after its job, with a token that pulls this alone and can be revoked',
    async () => {
      await run(
        'alpha',
        `img: { build: { context: ., platforms: [${ARCH}], to: $CI_REGISTRY_IMAGE } }
ship: { needs: [img], push: { from: [img], to: $CI_REGISTRY_IMAGE, tags: [live] } }
out:
  needs: [ship]
  tags: [local-swarm]
  environment: { name: live }
  deploy: { swarm: { service: ${SERVICE}, image_from: ship } }
`,
      );
      expect(image()).toMatch(new RegExp(`^${davit.run.registry}/alpha@sha256:`));
      await forget();
      scale(1);
      await eventually('the service runs again', 90_000, () =>
        state().some((line) => line.startsWith('Running')) ? true : undefined,
      );
      const listed = await davit.cli(['deploy-token', 'list', '--json']);
      const [token] = JSON.parse(listed.stdout) as { id: string }[];
      expect(token).toMatchObject({ project: 'alpha', target: 'local-swarm', repository: 'alpha' });
      expect((await davit.cli(['deploy-token', 'revoke', token?.id ?? ''])).code).toBe(0);
      await forget();
      scale(1);
      await eventually('the swarm is refused', 90_000, () =>
        state().some((line) => line.startsWith('Rejected')) ? true : undefined,
      );
    },
    RUN_MS,
  );
});
