/** Which engine is found, behind sockets that lead to the real one. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runCli } from '../../src/cli/program.ts';
import { readSettings, type Settings } from '../../src/config.ts';
import type { UnusablePlace } from '../../src/local/setup/engine-places.ts';
import { firstResponding, locateEngine, rememberEngine } from '../../src/local/setup/locate-engine.ts';
import { MAIN_ENGINE } from '../support/engine.ts';
import { testCli } from '../unit/cli/support.ts';

const servers: Server[] = [];
let folder = '';
/** Leads to the engine. */
let alive = '';
/** Accepts, and says nothing that an engine would. */
let mute = '';

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'davit-l-'));
  alive = await listen('alive', (path) => path);
  mute = await listen('mute', () => undefined);
});
afterAll(() => {
  for (const server of servers) server.close();
  rmSync(folder, { recursive: true });
});

async function listen(name: string, to: (engine: string) => string | undefined): Promise<string> {
  const path = join(folder, `${name}.sock`);
  const server = createServer((inner) => {
    const target = to(MAIN_ENGINE.slice('unix://'.length));
    if (target === undefined) return void inner.on('error', () => inner.destroy()).end('nothing\r\n\r\n');
    const outer = connect(target);
    inner.on('error', () => outer.destroy()).pipe(outer);
    outer.on('error', () => inner.destroy()).pipe(inner);
  }).listen(path);
  servers.push(server);
  await once(server, 'listening');
  return `unix://${path}`;
}

/** Settings of a user whose current context has this address. */
function withContext(name: string, address: string): Settings {
  const docker = join(folder, name);
  const meta = join(docker, 'contexts', 'meta', createHash('sha256').update(name).digest('hex'));
  mkdirSync(meta, { recursive: true });
  writeFileSync(join(docker, 'config.json'), JSON.stringify({ currentContext: name }));
  writeFileSync(join(meta, 'meta.json'), JSON.stringify({ Endpoints: { docker: { Host: address } } }));
  return readSettings({ DAVIT_HOME: join(folder, 'home', name), DOCKER_CONFIG: docker });
}

test('DOCKER_HOST is an order, also where nothing responds', async () => {
  const located = await locateEngine(readSettings({ DOCKER_HOST: mute }), 'first');
  expect(located).toMatchObject({ by: 'DOCKER_HOST', settings: { dockerHost: mute }, passed: [] });
});

test('the current context comes first', async () => {
  const located = await locateEngine(withContext('desktop', alive), 'first');
  expect(located).toMatchObject({
    by: 'the docker context "desktop"',
    settings: { dockerHost: alive },
    passed: [],
  });
});

test.each([
  ['a socket without an engine', () => mute],
  ['a socket that is gone', () => `unix://${folder}/gone.sock`],
])('a context with %s is left for a socket that responds, and that is said', async (_what, address) => {
  const { settings, by, passed } = await locateEngine(withContext('dead', address()), 'first');
  expect([by, settings.dockerHost]).toEqual(['the default socket', MAIN_ENGINE]);
  expect(passed).toMatchObject([{ by: `the docker context "dead" (${address()})` }]);
});

test('the first socket that responds counts; those that are not there are not mentioned', async () => {
  const passed: UnusablePlace[] = [];
  const places = [
    { by: 'Docker Desktop', address: `unix://${folder}/gone.sock` },
    { by: 'Colima', address: mute },
    { by: 'Podman', address: alive },
  ];
  expect(await firstResponding(places, passed)).toMatchObject({ by: 'Podman' });
  expect(passed.map(({ by }) => by)).toEqual([`Colima (${mute})`]);
});

test('commands for a running davit use the engine that it was started with', async () => {
  const settings = withContext('other', alive);
  rememberEngine({ ...settings, dockerHost: MAIN_ENGINE });
  expect((await locateEngine(settings, 'running')).settings.dockerHost).toBe(MAIN_ENGINE);
  expect((await locateEngine(settings, 'first')).settings.dockerHost).toBe(alive);
});

test('doctor says which engine was found and why', async () => {
  const { dockerFolder = '' } = withContext('shown', alive).engineSources ?? {};
  const { cli, written } = testCli(join(folder, 'doctor'), folder, { DOCKER_CONFIG: dockerFolder });
  await runCli(cli, ['doctor']);
  expect(written.out).toContain(`✓ address of the engine: ${alive} (the docker context "shown")`);
  expect(written.out).toMatch(new RegExp(`Docker \\S+ at ${alive}`));
});
