/** Requests to the engine: which value is where, and how an engine that breaks off is handled. */
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { EngineApi } from '../../../../src/adapters/docker/api.ts';
import { images } from '../../../../src/adapters/docker/images.ts';
import { dockerEngine } from '../../../../src/adapters/docker/index.ts';
import { swarmTarget } from '../../../../src/adapters/swarm/index.ts';

let folder: string;
let server: Server | undefined;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'davit-test-api-'));
});
afterEach(async () => {
  server?.close().closeAllConnections();
  await rm(folder, { recursive: true });
});

interface Seen {
  url: string;
  auth: string;
  body: string;
}
/** What the engine reports about itself; a test may change it while the engine runs. */
interface Self {
  version: object;
  info: object;
}
const DOCKER_20: Self = { version: { ApiVersion: '1.41', MinAPIVersion: '1.12' }, info: {} };
const CONTAINERD = { DriverStatus: [['driver-type', 'io.containerd.snapshotter.v1']] };
/**
 * `answer` gets paths without the version; `seen` has them as requested, except for requests about the engine
 * itself.
 */
async function fakeEngine(
  answer: (ask: IncomingMessage, reply: ServerResponse, body: string) => void,
  self: Self = { ...DOCKER_20 },
) {
  const seen: Seen[] = [];
  const take = async (ask: IncomingMessage, reply: ServerResponse): Promise<void> => {
    const auth = Buffer.from(String(ask.headers['x-registry-auth'] ?? ''), 'base64url').toString();
    const body = await text(ask).catch(() => '');
    if (ask.url === '/version') return json(reply, self.version);
    if (ask.url === '/info') return json(reply, self.info);
    seen.push({ url: ask.url ?? '', auth, body });
    ask.url = ask.url?.replace(/^\/v1\.\d+/, '');
    answer(ask, reply, body);
  };
  server = createServer((ask, reply) => {
    void take(ask, reply);
  }).listen(join(folder, 's'));
  await once(server, 'listening');
  const address = `unix://${folder}/s`;
  return {
    seen,
    self,
    address,
    engine: await dockerEngine({ address, registryPatience: { pullMs: 0, pushMs: 0 } }),
  };
}
const json = (reply: ServerResponse, value: unknown, status = 200): void =>
  void reply.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));

test('no value is in a URL: bodies are in bodies, credentials in their header', async () => {
  const { engine, seen, address } = await fakeEngine((ask, reply) => {
    if (ask.url?.startsWith('/images/create')) return void reply.end('{"status":"ok"}\n');
    if (ask.url?.startsWith('/services/table')) return json(reply, { message: 'no' }, 404);
    return json(reply, { Id: 'x', ID: 'x', Architecture: 'amd64', Size: 1 });
  });
  const auth = { username: 'robot', password: 'canary-auth' };
  await engine.createContainer({
    name: 'n',
    image: 'i',
    platform: 'linux/arm/v6',
    labels: { l: 'canary' },
    env: ['A=canary'],
    volumes: [],
    logMaxBytes: 1,
  });
  await engine.pullImage('r.example:5000/a/b:1', { auth });
  const target = await swarmTarget({ name: 't', address });
  await target.apply({
    deployId: 'd',
    seq: 1,
    image: 'r.example:5000/a/b:1',
    labels: {},
    auth,
    spec: {
      service: 'table',
      replicas: 1,
      publish: [],
      endpointMode: 'dnsrr',
      constraints: [],
      env: { A: 'canary' },
      networks: [],
      update: { order: 'stop-first', parallelism: 1, delayMs: 0, onFailure: 'pause' },
      convergeTimeoutMs: 1,
    },
  });
  expect(seen.map(({ url }) => url)).toEqual([
    '/v1.41/containers/create?name=n&platform=linux%2Farm%2Fv6',
    '/v1.41/images/create?fromImage=r.example%3A5000%2Fa%2Fb&tag=1',
    '/v1.41/images/r.example:5000/a/b:1/json',
    '/v1.41/services/table',
    '/v1.41/services/create',
  ]);
  const credentials = JSON.stringify({ ...auth, serveraddress: 'r.example:5000' });
  expect(seen.map((one) => one.auth)).toEqual(['', credentials, '', '', credentials]);
  expect(seen[0]?.body).toContain('A=canary');
  expect(seen[4]?.body).toContain('A=canary');
});

test('a name cannot change the path', async () => {
  const { engine, seen } = await fakeEngine((_, reply) => json(reply, { message: 'no' }, 404));
  await engine.inspectContainer('../images/x?y#z');
  expect(seen[0]?.url).toBe('/v1.41/containers/..%2Fimages%2Fx%3Fy%23z/json');
  await expect(engine.inspectImage('a?b')).rejects.toMatchObject({ code: 'registry/name' });
});

test('the environment does not choose the engine', async () => {
  const before = process.env.DOCKER_HOST;
  process.env.DOCKER_HOST = 'tcp://192.0.2.1:2375';
  try {
    const { engine, seen } = await fakeEngine((_, reply) => json(reply, []));
    expect(await engine.listContainers({ a: 'b' })).toEqual([]);
    expect(seen).toHaveLength(1);
  } finally {
    if (before === undefined) delete process.env.DOCKER_HOST;
    else process.env.DOCKER_HOST = before;
  }
});

test('an engine that returns upgraded, with another image store, is called with its new API version', async () => {
  let breaks = false;
  const { engine, seen, self } = await fakeEngine((_, reply) => {
    if (breaks) return void reply.destroy();
    json(reply, { Id: 'sha256:aa', Architecture: 'amd64', Size: 1 });
  });
  await engine.inspectImage('a', 'linux/arm/v6');
  breaks = true;
  await expect(engine.inspectImage('a')).rejects.toMatchObject({ code: 'engine/unreachable' });
  breaks = false;
  Object.assign(self, { version: { ApiVersion: '1.99', MinAPIVersion: '1.44' }, info: CONTAINERD });
  await engine.inspectImage('a', 'linux/arm/v6');
  const platform = encodeURIComponent(JSON.stringify({ os: 'linux', architecture: 'arm', variant: 'v6' }));
  expect(seen.map(({ url }) => url)).toEqual([
    '/v1.41/images/a/json',
    '/v1.41/images/a/json',
    '/v1.56/images/a/json',
    `/v1.56/images/sha256:aa/json?platform=${platform}`,
  ]);
});

test.each([
  ['older', { ApiVersion: '1.40', MinAPIVersion: '1.12' }],
  ['newer', { ApiVersion: '1.99', MinAPIVersion: '1.90' }],
])('an engine whose API is %s than any that davit knows is refused by name', async (_, version) => {
  const { engine } = await fakeEngine((_ask, reply) => json(reply, []), { version, info: {} });
  await expect(engine.listContainers({})).rejects.toMatchObject({ code: 'engine/version' });
});

test('in the containerd store an image is that of the requested platform, with an id that containers can be created from', async () => {
  const { engine } = await fakeEngine(
    (ask, reply) => {
      const platform = new URL(ask.url ?? '', 'http://x').searchParams.get('platform');
      if (platform?.includes('s390x'))
        return json(reply, { message: 'does not provide the specified platform' }, 404);
      if (platform)
        return json(reply, { Id: 'sha256:manifest', Architecture: 'arm', Variant: 'v6', Size: 1 });
      return json(reply, {
        Id: 'sha256:aaaaaaaaaaaa',
        Architecture: 'amd64',
        Size: 2,
        RepoDigests: ['a@sha256:x'],
      });
    },
    { version: { ApiVersion: '1.51' }, info: CONTAINERD },
  );
  expect(await engine.inspectImage('a', 'linux/arm/v6')).toMatchObject({
    id: 'sha256:aaaaaaaaaaaa',
    platform: { architecture: 'arm', variant: 'v6' },
    repoDigests: ['a@sha256:x'],
  });
  expect(await engine.inspectImage('a', 'linux/s390x')).toBeUndefined();
});

test.each([
  ['aux', '{"progressDetail":{},"aux":{"Tag":"1","Digest":"DIGEST","Size":528}}'],
  ['words alone (containerd store)', '{"status":"1: digest: DIGEST size: 528"}'],
])('the digest of a push is read from %s', async (_, line) => {
  const digest = `sha256:${'a'.repeat(64)}`;
  const { engine } = await fakeEngine((_ask, reply) => void reply.end(`${line.replace('DIGEST', digest)}\n`));
  const signal = AbortSignal.timeout(10_000);
  expect(await engine.push('r.example/a:1', { signal, onLog: () => undefined })).toEqual({
    digest,
    sizeBytes: 528,
  });
});

test.each([
  ['before it answers', (reply: ServerResponse) => reply.destroy()],
  ['after its head', (reply: ServerResponse) => reply.writeHead(200).flushHeaders()],
  ['within its body', (reply: ServerResponse) => reply.write('[{"Id":')],
])('an engine that breaks off %s is unreachable, at once', async (_, begin) => {
  const { engine } = await fakeEngine((_ask, reply) => {
    begin(reply);
    setImmediate(() => reply.destroy());
  });
  await expect(engine.listContainers({})).rejects.toMatchObject({ code: 'engine/unreachable' });
});

test('a response that is not JSON is engine/failed', async () => {
  const { engine } = await fakeEngine((_, reply) => void reply.end('<html>'));
  await expect(engine.listContainers({})).rejects.toMatchObject({ code: 'engine/failed' });
});

test('an upload whose source breaks rejects with its reason, and one that is refused lets its source go', async () => {
  const { engine } = await fakeEngine((_, reply) => json(reply, { message: 'No such container: n' }, 404));
  const broken = Readable.from(
    (async function* () {
      yield Buffer.alloc(10);
      throw new Error('the disk broke');
    })(),
  );
  await expect(engine.upload('n', broken)).rejects.toThrow('the disk broke');
  const source = Readable.from([Buffer.alloc(10)]);
  await expect(engine.upload('n', source)).rejects.toMatchObject({ code: 'engine/container-missing' });
  expect(source.destroyed).toBe(true);
});

test.each(['before it was sent', 'while its source stalls'])(
  'an upload ends with its signal, %s',
  async (when) => {
    const { engine } = await fakeEngine(() => undefined);
    const ending = new AbortController();
    const source = new Readable({
      read() {
        setImmediate(() => ending.abort(new Error('the job was cancelled')));
      },
    });
    if (when === 'before it was sent') ending.abort(new Error('the job was cancelled'));
    await expect(engine.upload('n', source, ending.signal)).rejects.toThrow('the job was cancelled');
    expect(source.destroyed).toBe(true);
  },
);

test('an error hidden in the stream of a pull is the error', async () => {
  const { engine } = await fakeEngine((_, reply) => {
    reply.write('{"status":"Pulling"}\r\nnot json\r\n');
    reply.end('{"errorDetail":{"message":"no space left on device"},"error":"no space left on device"}');
  });
  let log = '';
  await expect(engine.pullImage('a/b', { onLog: (part) => (log += part) })).rejects.toMatchObject({
    code: 'engine/no-space',
  });
  expect(log).toBe('Pulling\nnot json\n');
});

/**
 * Volumes as in Docker 20.10: after a restart, create returns an existing volume without labels until it is
 * inspected.
 */
async function engineWithVolumes(there: Map<string, Record<string, string> | null>) {
  const plain = new Set<string>();
  const { engine } = await fakeEngine((ask, reply, body) => {
    const answer = (name: string, labels: unknown): void =>
      json(reply, { Name: name, Labels: labels, CreatedAt: '2026-01-01T00:00:00Z' });
    if (ask.url === '/volumes/create') {
      const asked: { Name: string; Labels: Record<string, string> } = JSON.parse(body);
      if (!there.has(asked.Name)) there.set(asked.Name, asked.Labels);
      return answer(asked.Name, plain.has(asked.Name) ? null : there.get(asked.Name));
    }
    const name = ask.url?.split('/').at(-1) ?? '';
    plain.delete(name);
    if (there.has(name)) return answer(name, there.get(name));
    json(reply, { message: 'no such volume' }, 404);
  });
  return { engine, restart: () => [...there.keys()].forEach((name) => plain.add(name)) };
}

test('a restarted engine keeps its id', async () => {
  const { engine, restart } = await engineWithVolumes(new Map());
  const id = await engine.hostId('0123456789');
  restart();
  expect(await engine.hostId('0123456789')).toBe(id);
  expect(await engine.hostId('0123456789')).toBe(id);
});

test("a foreign volume with davit's name does not stop a worker, and the id stays the same", async () => {
  const foreign = { 'davit.host.id': 'x', 'davit.installation': '01234567-other' };
  const there = new Map<string, Record<string, string> | null>([
    ['davit-host-01234567', null],
    ['davit-host-01234567-2', foreign],
  ]);
  const { engine, restart } = await engineWithVolumes(there);
  const id = await engine.hostId('0123456789');
  restart();
  expect(await engine.hostId('0123456789')).toBe(id);
  expect([...there.keys()].at(-1)).toBe('davit-host-01234567-3');
  expect(there.get('davit-host-01234567')).toBeNull();
  expect(there.get('davit-host-01234567-2')).toBe(foreign);
});

test('an engine that does not reach a registry of this machine: the error says what is wrong with the forward', async () => {
  const refused = 'Get "http://127.0.0.1:5000/v2/": dial tcp 127.0.0.1:5000: connect: connection refused';
  const { address } = await fakeEngine((_, reply) => {
    reply.end(JSON.stringify({ errorDetail: { message: refused }, error: refused }));
  });
  const tunnel = {
    assure: async () => {},
    hint: () => undefined,
    problem: (port: number) => (port === 5000 ? 'Something else listens there.' : undefined),
  };
  const api = new EngineApi('ssh://pi@board', { socketPath: address.slice('unix://'.length) }, tunnel);
  const { pullImage } = images(api, { pullMs: 0, pushMs: 0 });
  await expect(pullImage('127.0.0.1:5000/x:1', {})).rejects.toMatchObject({
    code: 'registry/unreachable',
    message: 'The engine does not reach the registry 127.0.0.1:5000: Something else listens there.',
  });
  await expect(pullImage('127.0.0.1:5001/x:1', {})).rejects.toMatchObject({
    message: expect.stringContaining('connection refused'),
  });
});
