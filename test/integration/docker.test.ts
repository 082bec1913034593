import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { execFile } from 'node:child_process';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { extract, pack } from 'tar-stream';
import { dockerEngine } from '../../src/adapters/docker/index.ts';
import type { ContainerCreate, Engine, LogRecord } from '../../src/adapters/ports.ts';
import { HELPER_IMAGE, MAIN_ENGINE, mainEngine, testScope } from '../support/engine.ts';

/** An engine of Docker may have a network namespace of its own, whose bridges are not seen here; one of Podman has not. */
async function hasBridge(network: string, bridge: string): Promise<boolean> {
  if (existsSync(`/sys/class/net/${bridge}`)) return true;
  const { stdout } = await promisify(execFile)('docker', ['-H', MAIN_ENGINE, 'network', 'inspect', network]);
  return stdout.includes(`"com.docker.network.bridge.name": "${bridge}"`);
}

let engine: Engine;
let scope: ReturnType<typeof testScope>;
const signal = AbortSignal.timeout(120_000);

beforeAll(async () => {
  engine = await mainEngine();
  scope = testScope(engine);
});
afterAll(async () => {
  await scope.clean();
  await engine.close();
});

const shell = (name: string, script: string, more: Partial<ContainerCreate> = {}): ContainerCreate => ({
  name: scope.name(name),
  image: HELPER_IMAGE,
  labels: scope.labels,
  entrypoint: ['/bin/sh', '-c', script],
  volumes: [],
  network: { mode: 'none' },
  logMaxBytes: 1024 * 1024,
  ...more,
});
async function records(name: string, follow = true, since?: string): Promise<LogRecord[]> {
  const all: LogRecord[] = [];
  for await (const record of engine.logs(name, { follow, since, signal })) all.push(record);
  return all;
}
const textOf = (all: LogRecord[]): string => Buffer.concat(all.map((record) => record.bytes)).toString();
function tarOf(files: Record<string, string>): Readable {
  const tar = pack();
  for (const [name, content] of Object.entries(files)) tar.entry({ name }, content);
  tar.finalize();
  return Readable.from(tar);
}

describe('a container', () => {
  test('is created, started, followed, awaited, and gone after removal', async () => {
    const create = shell('life', 'echo out; echo err >&2; exit 7');
    const id = await engine.createContainer(create);
    expect(await engine.inspectContainer(create.name)).toMatchObject({ id, status: 'created', exitCode: 0 });
    await engine.startContainer(create.name);
    const all = await records(create.name);
    const state = await engine.waitContainer(create.name, signal);
    expect(state).toMatchObject({ status: 'exited', exitCode: 7, labels: scope.labels, name: create.name });
    expect(state.startedAt).toBeGreaterThan(Date.now() - 60_000);
    // The engine uses two clocks: a container that ends at once may end a moment before its recorded start.
    expect(state.finishedAt).toBeGreaterThan(state.startedAt - 1_000);
    expect(all.map(({ stream, bytes }) => [stream, Buffer.from(bytes).toString()]).sort()).toEqual([
      ['stderr', 'err\n'],
      ['stdout', 'out\n'],
    ]);
    await engine.removeContainer(create.name);
    await engine.removeContainer(create.name);
    expect(await engine.inspectContainer(create.name)).toBeUndefined();
  });

  test('with a taken name, a missing image or another platform: each has a code', async () => {
    const create = shell('taken', 'true');
    await engine.createContainer(create);
    await expect(engine.createContainer(create)).rejects.toMatchObject({ code: 'engine/name-taken' });
    const missing = shell('missing', 'true', { image: 'davit/no-such-image:1' });
    await expect(engine.createContainer(missing)).rejects.toMatchObject({ code: 'engine/image-missing' });
    const foreign = shell('foreign', 'true', { platform: 'linux/s390x' });
    await expect(engine.createContainer(foreign)).rejects.toMatchObject({ code: 'engine/platform' });
    await expect(engine.startContainer(scope.name('nobody'))).rejects.toMatchObject({
      code: 'engine/container-missing',
    });
  });

  test('gets no option that was not requested', async () => {
    const hostile = 'a"b\n--privileged';
    const create = shell('plain', 'true', { env: [`X=${hostile}`], command: ['--privileged', hostile] });
    await engine.createContainer(create);
    const { stdout } = await promisify(execFile)('docker', ['inspect', create.name]);
    const [seen] = JSON.parse(stdout) as Record<string, Record<string, unknown>>[];
    expect(seen?.Config?.Env).toContain(`X=${hostile}`);
    expect(seen?.Config?.Cmd).toEqual(['--privileged', hostile]);
    const host = seen?.HostConfig ?? {};
    expect(host).toMatchObject({ Privileged: false, AutoRemove: false, RestartPolicy: { Name: 'no' } });
    const powers = [
      'Binds',
      'CapAdd',
      'Devices',
      'PidMode',
      'UsernsMode',
      'PortBindings',
      'VolumesFrom',
      'Sysctls',
    ];
    // Engines write an empty value in different ways: null, "", [] or {}; Podman reports a PID namespace of
    // its own as "private".
    const none = [
      'null',
      '""',
      '[]',
      '{}',
      ...((await engine.info()).kind === 'podman' ? ['"private"'] : []),
    ];
    const given = powers.filter((name) => !none.includes(JSON.stringify(host[name] ?? null)));
    expect(given).toEqual([]);
    expect(await engine.listContainers({ ...scope.labels, 'davit.kind': 'none' })).toEqual([]);
    expect((await engine.listContainers(scope.labels)).map(({ name }) => name)).toContain(create.name);
  });

  test('accepts files at / and in its volumes before it starts, and returns them after it has ended', async () => {
    const volume = scope.name('work');
    await engine.createVolume(volume, scope.labels);
    const create = shell('files', 'cat /builds/p/a.txt /davit/b.txt; echo made > /builds/p/c.txt', {
      volumes: [{ volume, path: '/builds/p' }],
    });
    await engine.createContainer(create);
    await engine.upload(create.name, tarOf({ 'builds/p/a.txt': 'A\n', 'davit/b.txt': 'B\n' }));
    await engine.startContainer(create.name);
    await engine.waitContainer(create.name, signal);
    expect(textOf(await records(create.name, false))).toBe('A\nB\n');
    const tar = await engine.download(create.name, '/builds/p/c.txt');
    const found: Record<string, string> = {};
    if (tar)
      for await (const entry of tar.pipe(extract()))
        found[entry.header.name] = (await buffer(entry)).toString();
    expect(found).toEqual({ 'c.txt': 'made\n' });
    expect(await engine.download(create.name, '/builds/p/nothing')).toBeUndefined();
    await expect(engine.download(scope.name('nobody'), '/')).rejects.toMatchObject({
      code: 'engine/container-missing',
    });
    await expect(engine.removeVolume(volume)).rejects.toMatchObject({ code: 'engine/in-use' });
    await engine.removeContainer(create.name);
    await engine.removeVolume(volume);
    await engine.removeVolume(volume);
    expect(await engine.listVolumes(scope.labels)).toEqual([]);
  });

  test('receives signals, and an abort ends the waits for it with its reason', async () => {
    const create = shell('signals', 'trap "exit 3" TERM; while :; do sleep 0.05; done', { init: true });
    await engine.createContainer(create);
    await engine.startContainer(create.name);
    const stop = new AbortController();
    const waiting = engine.waitContainer(create.name, stop.signal);
    const following = (async () => {
      for await (const _ of engine.logs(create.name, { follow: true, signal: stop.signal })) break;
    })();
    stop.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
    await expect(following).rejects.toThrow('enough');
    expect(await engine.inspectContainer(create.name)).toMatchObject({ status: 'running' });
    await engine.signalContainer(create.name, 'SIGKILL');
    expect(await engine.waitContainer(create.name, signal)).toMatchObject({ exitCode: 137 });
  });
});

describe('a log', () => {
  test('of many records is complete and in order, and continues from any record', async () => {
    const create = shell('many', 'i=0; while [ $i -lt 20000 ]; do echo "line $i"; i=$((i+1)); done');
    await engine.createContainer(create);
    await engine.startContainer(create.name);
    const all = await records(create.name);
    const expected = Array.from({ length: 20_000 }, (_, i) => `line ${i}\n`).join('');
    expect(textOf(all)).toBe(expected);
    const from = all[12_345];
    const first = all.findIndex(({ time }) => time === from?.time);
    const rest = await records(create.name, true, from?.time);
    expect(textOf(rest)).toBe(textOf(all.slice(first)));
  });

  test('of one long line comes in records of 16 KiB, with Podman of 8', async () => {
    const { kind } = await engine.info();
    const create = shell('long', 'head -c 100000 /dev/zero | tr "\\0" x; echo');
    await engine.createContainer(create);
    await engine.startContainer(create.name);
    const all = await records(create.name);
    expect(textOf(all)).toBe(`${'x'.repeat(100_000)}\n`);
    expect(Math.max(...all.map(({ bytes }) => bytes.length))).toBe((kind === 'podman' ? 8 : 16) * 1024);
  });
});

describe('an engine', () => {
  test('reports its facts, and keeps the first id it was given', async () => {
    expect(await engine.info()).toMatchObject({
      address: MAIN_ENGINE,
      arch: 'amd64',
      storageDriver: expect.stringMatching(/^overlay/),
    });
    const installation = scope.name('').slice('davit-test-'.length);
    const ids = await Promise.all([1, 2, 3].map(() => engine.hostId(installation)));
    expect(new Set(ids).size).toBe(1);
    expect(ids[0]).toMatch(/^[0-9a-f-]{36}$/);
    await engine.removeVolume(`davit-host-${installation.slice(0, 8)}`);
  });

  test.each([undefined, `davit${randomUUID().slice(0, 8)}`])(
    'keeps one network per name with concurrent creators: bridge %s',
    async (bridge) => {
      const name = scope.name('net');
      const make = () =>
        engine.createNetwork(name, {
          labels: scope.labels,
          icc: false,
          ...(bridge !== undefined && { bridge }),
        });
      await Promise.all(Array.from({ length: 8 }, make));
      await make();
      expect((await engine.listNetworks(scope.labels)).map((network) => network.name)).toEqual([name]);
      await engine.createContainer(shell('joined', 'sleep 30', { network: { name, aliases: [] } }));
      await engine.startContainer(scope.name('joined'));
      if (bridge !== undefined) expect(await hasBridge(name, bridge)).toBe(true);
      await engine.removeContainer(scope.name('joined'));
      await engine.removeNetwork(name);
      await engine.removeNetwork(name);
    },
  );

  test('runs its own platform and refuses one it cannot run', async () => {
    expect(await engine.canRun('linux/amd64', HELPER_IMAGE)).toBe(true);
    expect(await engine.canRun('linux/s390x', HELPER_IMAGE)).toBe(false);
  });

  test('that is not there is engine/unreachable, with an explanation', async () => {
    const nobody = await dockerEngine({ address: 'unix:///tmp/davit-no-such.sock' });
    await expect(nobody.info()).rejects.toMatchObject({ code: 'engine/unreachable' });
    await expect(nobody.createContainer(shell('x', 'true'))).rejects.toMatchObject({
      code: 'engine/unreachable',
    });
  });
});

test.each(['davit/helper:1', 'docker.io/davit/helper:1', 'index.docker.io/davit/helper:1'])(
  'davit’s own helper image is never pulled: %s',
  async (name) => {
    const before = await engine.inspectImage(HELPER_IMAGE);
    await expect(engine.pullImage(name, {})).rejects.toThrow('davit makes davit/helper:1 itself');
    expect(await engine.inspectImage(HELPER_IMAGE)).toEqual(before);
  },
);

test('an image that exists neither here nor in a registry', async () => {
  const patient = await dockerEngine({ address: MAIN_ENGINE, registryPatience: { pullMs: 0 } });
  expect(await engine.inspectImage('davit/no-such-image:1')).toBeUndefined();
  expect(await engine.inspectImage(HELPER_IMAGE)).toMatchObject({ platform: { architecture: 'amd64' } });
  await expect(patient.pullImage('127.0.0.1:1/nothing:1', {})).rejects.toMatchObject({
    code: 'registry/unreachable',
  });
});
