/**
 * `davit registry enable`: davit, its registry and an engine in a network of their own, where the engine verifies
 * certificates because the address is not on the loopback. Root only.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { RunFile } from '../../src/server/api.ts';
import { HELPER_IMAGE } from '../support/engine.ts';
import { startEnclosedEngine, WORLD, type EnclosedEngine } from '../support/enclosed-engine.ts';
import { ROOT } from '../support/source.ts';

const HOST = `${WORLD.machine}:5443`;
const IMAGE = `${HOST}/tools:1`;
const MAIN = join(ROOT, 'src', 'cli', 'main.ts');
const CA = `/etc/docker/certs.d/${HOST}/ca.crt`;
let box: EnclosedEngine;
let folder = '';
let home = '';

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'davit-shared-'));
  home = join(folder, 'home');
  box = await startEnclosedEngine();
  await box.run('sh', '-c', 'mkdir -p /etc/docker && mount -t tmpfs none /etc/docker');
}, 120_000);
afterAll(async () => {
  await davit('down');
  await box.stop();
  rmSync(folder, { recursive: true, force: true });
}, 60_000);

/** In the network of the engine; rejects with its output. */
const davit = (...args: string[]): Promise<string> =>
  box.run(
    'env',
    'CI=true',
    `DAVIT_HOME=${home}`,
    `DOCKER_HOST=${box.address}`,
    process.execPath,
    MAIN,
    ...args,
  );
const docker = (...args: string[]): Promise<string> =>
  box.run('env', `DOCKER_CONFIG=${folder}`, 'docker', '-H', box.address, ...args);
const runFile = (): RunFile => JSON.parse(readFileSync(join(home, 'run.json'), 'utf8')) as RunFile;

test('one command: a name, a certificate, and the trust of the engine', async () => {
  const said = await davit('registry', 'enable', '--host', WORLD.machine);
  expect(said).toContain(`✓ this machine: trusts ${HOST}`);
  expect(said).toContain('It counts when davit starts');
  await davit('up', '--detach');
  expect(await davit('registry', 'enable')).toContain(`✓ this machine: reaches ${HOST}`);
  expect(runFile().registry).toBe(HOST);
  expect(await box.run('cat', CA)).toBe(readFileSync(join(home, 'ca', 'ca.crt'), 'utf8'));
});

test('an engine logs in, pushes and pulls there, with tokens of the server', async () => {
  const login = `docker -H ${box.address} login -u me --password-stdin ${HOST} < ${join(home, 'keys', 'cli-token')}`;
  await box.run('env', `DOCKER_CONFIG=${folder}`, 'sh', '-c', login);
  await docker('tag', HELPER_IMAGE, IMAGE);
  await docker('push', IMAGE);
  await docker('rmi', IMAGE);
  await docker('pull', IMAGE);
  await docker('rmi', IMAGE);
});

test('a job runs an image of it, by its name and by the former one', async () => {
  const { registry = 0 } = JSON.parse(readFileSync(join(home, 'ports.json'), 'utf8')) as {
    registry?: number;
  };
  const project = mkdtempSync(join(folder, 'project-'));
  const job = (name: string, image: string): string => `${name}:\n  image: ${image}\n  script: [echo ran]\n`;
  writeFileSync(
    join(project, '.gitlab-ci.yml'),
    job('new', '$CI_REGISTRY/tools:1') + job('former', `127.0.0.1:${registry}/tools:1`),
  );
  const said = await box.run(
    ...['env', '-C', project, 'CI=true', `DAVIT_HOME=${home}`, `DOCKER_HOST=${box.address}`],
    ...[process.execPath, MAIN, 'run'],
  );
  expect(said.match(/\| ran/g)).toHaveLength(2);
});

test('it names itself as the token service: an engine elsewhere has no other way', async () => {
  const headers = await box.run('curl', '-sk', '-D', '-', '-o', '/dev/null', `https://${HOST}/v2/`);
  expect(headers.toLowerCase()).toContain(`www-authenticate: bearer realm="https://${HOST}/registry/token"`);
});

test('it passes nothing but the registry and its tokens', async () => {
  const status = (path: string): Promise<string> =>
    box.run('curl', '-sk', '-o', '/dev/null', '-w', '%{http_code}', '--path-as-is', `https://${HOST}${path}`);
  expect(await status('/v2/')).toBe('401');
  expect(await status('/registry/token')).toBe('401');
  for (const path of ['/', '/api/v1/workers', '/healthz', '/v2/../healthz', '/v2/%2e%2e/healthz'])
    expect([path, await status(path)]).toEqual([path, '404']);
  expect(await box.run('curl', '-sk', `https://${HOST}/healthz`)).toContain('only the registry is here');
});

test('an engine that has lost its trust is found, and told again', async () => {
  await box.run('rm', CA);
  const doctor = await davit('doctor').catch((error: { stdout?: string }) => error.stdout ?? '');
  expect(doctor).toMatch(/✗ registry, from the engine: .*(x509|certificate)/);
  const again = await davit('registry', 'enable');
  expect(again).toContain(`✓ this machine: reaches ${HOST}`);
});

test('disabled, it is on the loopback only, and nothing of the trust is left', async () => {
  expect(await davit('registry', 'disable', '--restart')).toContain(`no longer trusts ${HOST}`);
  expect(runFile().registry).toMatch(/^127\.0\.0\.1:/);
  await expect(box.run('curl', '-sk', `https://${HOST}/v2/`)).rejects.toThrow();
  expect(await box.run('ls', '/etc/docker/certs.d')).toBe('');
});
