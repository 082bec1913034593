/** What is said and asked before a machine is changed, and whose swarm is used; on real engines. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runCli } from '../../src/cli/program.ts';
import { swarmTarget } from '../../src/adapters/swarm/index.ts';
import { HELPER_IMAGE } from '../support/engine.ts';
import { readSettings, type Settings } from '../../src/config.ts';
import { askEngine } from '../../src/local/setup/docker.ts';
import { foreseenChanges } from '../../src/local/setup/foreseen.ts';
import { readInstallRecord } from '../../src/local/setup/install-record.ts';
import { dropLocalNetwork, settleSwarm, type SwarmWish } from '../../src/local/setup/swarm.ts';
import { silentProgress as progress } from '../../src/local/process/progress.ts';
import { startEnclosedEngine, type EnclosedEngine } from '../support/enclosed-engine.ts';
import { testCli } from '../unit/cli/support.ts';

let home = '';
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'davit-consent-'));
});
afterAll(() => rmSync(home, { recursive: true }));

describe('Temporal is not there', () => {
  const prepare = async (answer?: string) => {
    const cache = join(home, 'cache');
    const { cli, written } = testCli(home, home, { DAVIT_CACHE: cache });
    if (answer !== undefined)
      Object.assign(cli.io, { interactive: true, stdin: Readable.from([`${answer}\n`]) });
    const exit = await runCli(cli, ['prepare']);
    return { exit, err: written.err, changed: existsSync(cache) };
  };

  test('without a terminal it ends with the list and the command', async () => {
    const { exit, err, changed } = await prepare();
    expect(err).toMatch(/download +Temporal CLI .* 50 MB/);
    expect(err).toContain('davit prepare --yes');
    expect([exit, changed]).toEqual([2, false]);
  });

  test('a person who declines keeps the machine as it is', async () => {
    const { exit, err, changed } = await prepare('n');
    expect(err).toContain('Set this up? [Y/n] Nothing was changed.');
    expect([exit, changed]).toEqual([1, false]);
  });
});

test('where nothing is missing, nothing is asked', async () => {
  const { cli, written } = testCli(home, home, { DAVIT_CACHE: readSettings().cache });
  expect(await runCli(cli, ['prepare'])).toBe(0);
  expect(written.err).not.toContain('sets up');
});

const settingsOf = (engine: EnclosedEngine): Settings =>
  readSettings({ DAVIT_HOME: home, DOCKER_HOST: engine.address, PATH: process.env.PATH ?? '' });
const settle = async (engine: EnclosedEngine, wish: SwarmWish): Promise<string | undefined> => {
  const local = await askEngine(settingsOf(engine));
  try {
    return await settleSwarm(settingsOf(engine), local, { ...wish, progress });
  } finally {
    await local.engine.close();
  }
};
const initialised = async (engine: EnclosedEngine, swarm: SwarmWish): Promise<string[]> =>
  (await foreseenChanges(settingsOf(engine), { swarm, progress }))
    .filter(({ act }) => act === 'initialise')
    .map(({ what }) => what);

test('an engine with live-restore: deployments are left out, and a wish for a swarm is refused', async () => {
  const engine = await startEnclosedEngine({ config: { 'live-restore': true } });
  try {
    expect(await initialised(engine, { make: true, use: false })).toEqual([]);
    expect(await settle(engine, { make: 'if-possible', use: false })).toContain('live-restore');
    await expect(settle(engine, { make: true, use: false })).rejects.toMatchObject({
      code: 'local/no-swarm',
    });
    expect((await engine.engine.info()).swarm).toBe('inactive');
  } finally {
    await engine.stop();
  }
});

test('a swarm that davit did not make is used only after it was allowed', async () => {
  const engine = await startEnclosedEngine();
  try {
    await engine.run('docker', '-H', engine.address, 'swarm', 'init', '--advertise-addr', '127.0.0.1');
    const target = await swarmTarget({ name: 'own', address: engine.address, permittedOnly: true });
    const deploy = () =>
      target.apply({
        deployId: 'web/1',
        seq: 1,
        image: HELPER_IMAGE,
        labels: {},
        spec: {
          service: 'web',
          replicas: 0,
          publish: [],
          endpointMode: 'dnsrr',
          constraints: [],
          env: {},
          networks: [],
          update: { order: 'stop-first', parallelism: 1, delayMs: 0, onFailure: 'rollback' },
          convergeTimeoutMs: 60_000,
        },
      });
    expect(await settle(engine, { make: 'if-possible', use: false })).toContain('--use-swarm');
    await expect(deploy()).rejects.toMatchObject({
      code: 'target/refused',
      message: expect.stringContaining('no person has allowed') as string,
    });

    expect(await initialised(engine, { make: false, use: true })).toEqual([
      'the overlay network davit-local',
    ]);
    expect(await settle(engine, { make: false, use: true })).toBeUndefined();
    expect(readInstallRecord(settingsOf(engine))).toMatchObject({ usedSwarm: true, swarm: false });
    expect(await settle(engine, { make: 'if-possible', use: false })).toBeUndefined();
    expect(await initialised(engine, { make: true, use: true })).toEqual([]);
    // It is the permission that is missing no more.
    await expect(deploy()).resolves.toBe('applied');

    expect(await dropLocalNetwork(settingsOf(engine))).toBe(true);
    expect(await settle(engine, { make: 'if-possible', use: false })).toContain('--use-swarm');
  } finally {
    await engine.stop();
  }
});

test('a swarm that davit made is its own', async () => {
  const engine = await startEnclosedEngine();
  try {
    expect(await initialised(engine, { make: 'if-possible', use: false })).toEqual([
      'this engine as a swarm of one node',
    ]);
    expect(await settle(engine, { make: 'if-possible', use: false })).toBeUndefined();
    expect(readInstallRecord(settingsOf(engine)).swarm).toBe(true);
    // Also when its network has gone: the swarm itself says it.
    expect(await dropLocalNetwork(settingsOf(engine))).toBe(true);
    expect(await settle(engine, { make: true, use: false })).toBeUndefined();
  } finally {
    await engine.stop();
  }
});
