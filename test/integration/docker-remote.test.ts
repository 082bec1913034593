/** Engines of other machines: over ssh with host keys, over tcp with certificates. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer as createHttp } from 'node:http';
import { createConnection, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { createServer as createTls } from 'node:tls';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { pack } from 'tar-stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { dockerEngine } from '../../src/adapters/docker/index.ts';
import type { ContainerCreate, Engine } from '../../src/adapters/ports.ts';
import { swarmTarget } from '../../src/adapters/swarm/index.ts';
import { HELPER_IMAGE, MAIN_ENGINE, mainEngine, testScope } from '../support/engine.ts';
import { startBoard, type Board } from '../support/ssh-board.ts';

const SOCKET = MAIN_ENGINE.slice('unix://'.length);
const run = promisify(execFile);
let engine: Engine;
let scope: ReturnType<typeof testScope>;
const deadline = (): AbortSignal => AbortSignal.timeout(60_000);

beforeAll(async () => {
  engine = await mainEngine();
  scope = testScope(engine);
});
afterAll(() => scope.clean());

const shell = (name: string, script: string): ContainerCreate => ({
  name: scope.name(name),
  image: HELPER_IMAGE,
  labels: scope.labels,
  entrypoint: ['/bin/sh', '-c', script],
  volumes: [],
  network: { mode: 'none' },
  logMaxBytes: 1024 * 1024,
});

async function poll(good: () => boolean): Promise<void> {
  for (const end = performance.now() + 20_000; !good(); await delay(20))
    if (performance.now() > end) throw new Error('never');
}

describe('an engine over ssh', () => {
  let board: Board;
  beforeAll(async () => {
    board = await startBoard(SOCKET);
  });
  afterAll(() => board.stop());

  test('uses one connection for all requests, and ends with close', async () => {
    const before = board.connections();
    const remote = await dockerEngine({ address: board.address, knownHosts: board.knownHosts });
    const infos = await Promise.all(Array.from({ length: 10 }, () => remote.info()));
    expect(new Set(infos.map(({ id }) => id)).size).toBe(1);
    expect(board.connections() - before).toBe(1);
    await remote.close();
    await expect(remote.info()).rejects.toMatchObject({ code: 'engine/unreachable' });
  });

  test('with a changed or unknown host key is refused', async () => {
    for (const knownHosts of [board.wrongHosts, '/dev/null']) {
      const remote = await dockerEngine({ address: board.address, knownHosts });
      await expect(remote.info()).rejects.toMatchObject({ code: 'engine/untrusted' });
      await remote.close();
    }
  });

  test('that does not answer is unreachable', async () => {
    const remote = await dockerEngine({ address: 'ssh://pi@127.0.0.1:1', knownHosts: board.knownHosts });
    await expect(remote.info()).rejects.toMatchObject({ code: 'engine/unreachable' });
    await remote.close();
  });

  test('that is disconnected while a job runs loses neither its log nor its end', async () => {
    const remote = await dockerEngine({ address: board.address, knownHosts: board.knownHosts });
    const create = shell(
      'cut',
      'i=0; while [ $i -lt 60 ]; do echo "line $i"; i=$((i+1)); sleep 0.05; done; exit 5',
    );
    await remote.createContainer(create);
    await remote.startContainer(create.name);
    const ended = remote.waitContainer(create.name, deadline());
    let text = '';
    for await (const record of remote.logs(create.name, { follow: true, signal: deadline() })) {
      text += Buffer.from(record.bytes).toString();
      if (/line (?:5|20|40)\n$/.test(text)) board.cut();
    }
    expect(text).toBe(Array.from({ length: 60 }, (_, i) => `line ${i}\n`).join(''));
    expect(await ended).toMatchObject({ exitCode: 5 });
    await remote.close();
  });

  test('a deploy target over ssh ends its connection too', async () => {
    await poll(() => board.open() === 0);
    const target = await swarmTarget({
      ...{ name: 'board', address: board.address, knownHosts: board.knownHosts },
    });
    await target.nodes().catch(() => undefined); // the engine need not be in a swarm
    expect(board.open()).toBe(1);
    await target.close();
    await poll(() => board.open() === 0);
  });

  test('is disconnected when the process that uses it is killed', async () => {
    await poll(() => board.open() === 0);
    const module = new URL('../../src/adapters/docker/index.ts', import.meta.url).pathname;
    const options = JSON.stringify({ address: board.address, knownHosts: board.knownHosts });
    const script = `const { dockerEngine } = await import('${module}');
      const engine = await dockerEngine(${options});
      await engine.info();
      process.send('up');
      setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    await once(child, 'message');
    expect(board.open()).toBe(1);
    child.kill('SIGKILL');
    await poll(() => board.open() === 0);
  });

  test('forwards ports to this machine, and restores them after a lost connection', async () => {
    const registry = createHttp((_, reply) => reply.end('the registry')).listen(0, '127.0.0.1');
    await once(registry, 'listening');
    const { port } = registry.address() as AddressInfo;
    const remote = await dockerEngine({
      address: board.address,
      knownHosts: board.knownHosts,
      reversePorts: [port],
    });
    await remote.info();
    const answered = async (): Promise<string> => {
      for (const deadline = performance.now() + 20_000; performance.now() < deadline; await delay(50)) {
        const there = board.reverse(port);
        const reply = there && (await fetch(`http://127.0.0.1:${there}/`).catch(() => undefined));
        if (reply) return reply.text();
      }
      return 'never';
    };
    expect(await answered()).toBe('the registry');
    const first = board.reverse(port);
    board.cut();
    await poll(() => board.reverse(port) !== first);
    expect(await answered()).toBe('the registry');
    await remote.close();
    registry.close().closeAllConnections();
  });
});

describe('an engine over TLS', () => {
  let folder: string;
  let port: number;
  let stop: () => void;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'davit-test-tls-'));
    await certificate('good', 'IP:127.0.0.1');
    await certificate('other', 'DNS:elsewhere.example');
    const file = (name: string) => readFile(join(folder, name));
    const [ca, cert, key] = await Promise.all([
      file('good/ca.pem'),
      file('good/cert.pem'),
      file('good/key.pem'),
    ]);
    const server = createTls({ ca, cert, key, requestCert: true, rejectUnauthorized: true }, (socket) => {
      const inside = createConnection(SOCKET);
      inside.on('error', () => socket.destroy());
      socket.on('error', () => inside.destroy());
      socket.pipe(inside).pipe(socket);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    port = (server.address() as AddressInfo).port;
    stop = () => server.close();
  });
  afterAll(async () => {
    stop();
    await rm(folder, { recursive: true });
  });

  /** A CA, and a certificate of it for server and client, in Docker's names. */
  async function certificate(name: string, subject: string): Promise<void> {
    const at = (file: string): string => join(folder, name, file);
    await mkdir(join(folder, name));
    await writeFile(at('ext'), `subjectAltName=${subject}\n`);
    const openssl = (...args: string[]) => run('openssl', args);
    const fresh = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
    await openssl(
      'req',
      '-x509',
      ...fresh,
      '-keyout',
      at('ca-key.pem'),
      '-out',
      at('ca.pem'),
      '-subj',
      '/CN=test CA',
      '-days',
      '2',
    );
    await openssl('req', ...fresh, '-keyout', at('key.pem'), '-out', at('csr'), '-subj', '/CN=test');
    await openssl(
      'x509',
      '-req',
      '-in',
      at('csr'),
      '-CA',
      at('ca.pem'),
      '-CAkey',
      at('ca-key.pem'),
      '-CAcreateserial',
      '-out',
      at('cert.pem'),
      '-extfile',
      at('ext'),
      '-days',
      '2',
    );
  }

  test('answers if both sides present a certificate of the CA; runs containers and sessions', async () => {
    const remote = await dockerEngine({ address: `tcp://127.0.0.1:${port}`, certPath: join(folder, 'good') });
    expect((await remote.info()).id).toBe((await engine.info()).id);
    const create = shell('tls', 'echo over tls');
    await remote.createContainer(create);
    await remote.startContainer(create.name);
    let text = '';
    for await (const { bytes } of remote.logs(create.name, { follow: true, signal: deadline() }))
      text += Buffer.from(bytes).toString();
    expect(text).toBe('over tls\n');
  });

  test('builds with a session: BuildKit asks for credentials and secrets through it', async () => {
    const remote = await dockerEngine({ address: `tcp://127.0.0.1:${port}`, certPath: join(folder, 'good') });
    const context = pack();
    context.entry(
      { name: 'Dockerfile' },
      `FROM ${HELPER_IMAGE}\nRUN --mount=type=secret,id=none echo ${scope.name('session')}\n`,
    );
    context.finalize();
    const tag = scope.name('session:1');
    try {
      const built = await remote.build({
        ...{ context: Readable.from(context, { objectMode: false }), dockerfile: 'Dockerfile', tag },
        ...{ platform: 'linux/amd64', args: {}, labels: {}, cacheFrom: [], auth: {} },
        ...{ pullBases: false, inlineCache: false, signal: deadline(), onLog: () => {} },
      });
      expect(built.imageId).toMatch(/^sha256:/);
    } finally {
      await engine.removeImage(tag);
      await remote.close();
    }
  });

  test('of another CA, or under another name, is refused', async () => {
    const other = await dockerEngine({ address: `tcp://127.0.0.1:${port}`, certPath: join(folder, 'other') });
    await expect(other.info()).rejects.toMatchObject({ code: 'engine/untrusted' });
    const named = await dockerEngine({ address: `tcp://localhost:${port}`, certPath: join(folder, 'good') });
    await expect(named.info()).rejects.toMatchObject({ code: 'engine/untrusted' });
  });

  test('is not contacted without certificates', async () => {
    await expect(dockerEngine({ address: `tcp://192.0.2.1:${port}` })).rejects.toMatchObject({
      code: 'engine/address',
    });
    await expect(dockerEngine({ address: 'tcp://h', certPath: '/nowhere' })).rejects.toMatchObject({
      code: 'engine/untrusted',
    });
  });
});
