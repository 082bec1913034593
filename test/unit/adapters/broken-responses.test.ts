/**
 * A service that breaks off its response, wherever it does, fails the call with a coded error and nothing
 * else.
 */
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { dockerEngine } from '../../../src/adapters/docker/index.ts';
import { forgeStatuses } from '../../../src/adapters/forge/index.ts';
import { httpStores } from '../../../src/adapters/http/index.ts';
import { RegistryHttp } from '../../../src/adapters/registry/http.ts';
import { ApiClient } from '../../../src/cli/client/api-client.ts';
import { DavitError } from '../../../src/errors.ts';

const OK = 'HTTP/1.1 200 OK\r\n';
/** What the service has sent when it breaks off. */
const STAGES = {
  'before its response': '',
  'in the status line': 'HTTP/1.',
  'with what is not HTTP': 'SSH-2.0-x\r\n',
  'in the headers': `${OK}content-type: appli`,
  'before the body': `${OK}content-type: application/json\r\ncontent-length: 1000\r\n\r\n`,
  'in the body': `${OK}content-type: application/json\r\ncontent-length: 1000\r\n\r\n{"digest":`,
  'in a chunk': `${OK}content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n64\r\n{"digest":`,
  'between two chunks': `${OK}content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\na\r\n{"digest":\r\n`,
  'in an error response':
    'HTTP/1.1 500 no\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{"err',
} as const;
type Stage = keyof typeof STAGES;

let server: Server;
let url: string;
let stage: Stage = 'in the body';
const sockets = new Set<Socket>();
beforeAll(async () => {
  server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    // The headers of a request, and in an upload some of its body, have arrived.
    socket.once('data', () => socket.write(STAGES[stage], () => breakOff(socket)));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.close();
  for (const socket of sockets) socket.destroy();
});

/** What was written reaches the client before the connection is reset. */
const breakOff = (socket: Socket): void => void setImmediate(() => socket.resetAndDestroy());

const DIGEST = `sha256:${'0'.repeat(64)}` as const;
const PIPELINE = 'table/1' as const;
const upload = (): Readable => Readable.from([Buffer.alloc(64 * 1024), Buffer.alloc(4 * 1024 * 1024)]);
const stores = () => httpStores({ url, workerToken: 'worker-token-0123456789', patienceMs: 0 });
const api = () => new ApiClient(url, 'cli-token-0123456789');
const engine = () =>
  dockerEngine({ address: url.replace('http:', 'tcp:'), registryPatience: { pullMs: 0, pushMs: 0 } });
const LOG = { pipeline: PIPELINE, jobId: 'a', attempt: 1 } as never;

const CALLS: Record<string, () => Promise<unknown>> = {
  'a worker reads a blob': () => stores().blobs.getBytes(DIGEST),
  'a worker streams a blob': async () => buffer(await stores().blobs.getStream(DIGEST)),
  'a worker stores bytes': () => stores().blobs.putBytes(Buffer.alloc(1024 * 1024)),
  'a worker stores a stream': () => stores().blobs.putStream(upload()),
  'a worker reads a record': () => stores().records.get('a/b'),
  'a worker opens a log': () => stores().logs.open(LOG, 1),
  'a worker appends to a log': () =>
    stores().logs.append(LOG, { epoch: 1, offset: 0, bytes: Buffer.alloc(64 * 1024) }),
  'a worker reads the facts': () => stores().facts(),
  'the CLI asks for the health': () => api().health(),
  'the CLI sends a source': () => api().putBlob(upload()),
  'the CLI reads a status': () => api().status(PIPELINE),
  'the registry client reads a manifest': () =>
    new RegistryHttp({ host: new URL(url).host, insecure: true, patienceMs: 0 }).ask({
      method: 'GET',
      path: 'table/manifests/1',
      what: 'read a manifest',
    }),
  'the forge is asked for a release': () =>
    forgeStatuses({
      projects: [
        {
          name: 'table' as never,
          forge: 'gitea',
          forge_url: url,
          repository: 'team/table',
          forge_token: 'env:TOKEN',
        },
      ],
      secrets: { resolve: async () => 'forge-token' },
    }).findRelease('table' as never, 'v1'),
  'the engine is asked for a container': async () => (await engine()).inspectContainer('a'),
  'the engine takes an archive': async () => (await engine()).upload('a', upload()),
};

const cases = Object.keys(CALLS).flatMap((call) =>
  (Object.keys(STAGES) as Stage[]).map((at) => ({ call, at })),
);
test.each(cases)('$call and the service breaks off $at', async ({ call, at }) => {
  stage = at;
  const error = await CALLS[call]?.().then(
    () => 'no error',
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(DavitError);
  expect((error as DavitError).code).not.toBe('internal/defect');
});

test('a blob that breaks off before it is read fails its reader', async () => {
  stage = 'in the body';
  const closed = once(server, 'connection').then(
    async ([socket]: Socket[]) => socket && once(socket, 'close'),
  );
  const stream = await stores().blobs.getStream(DIGEST);
  await closed;
  await expect(buffer(stream)).rejects.toThrow();
});
