import { createServer, type RequestListener, type Server } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Server as TcpServer } from 'node:net';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterEach, expect, test } from 'vitest';
import { HttpClient } from '../../../../src/cli/client/http.ts';

const servers: (Server | TcpServer)[] = [];
const clients: HttpClient[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  for (const server of servers.splice(0)) {
    if ('closeAllConnections' in server) server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

async function serverOf(answer: RequestListener): Promise<string> {
  const server = createServer(answer);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
function clientOf(limits: ConstructorParameters<typeof HttpClient>[0] = {}): HttpClient {
  const client = new HttpClient(limits);
  clients.push(client);
  return client;
}
const call = { method: 'GET', headers: {} } as const;

test('text, a stream and headers go up, status, headers and body come down, on one connection', async () => {
  const ports = new Set<number | undefined>();
  const url = await serverOf((request, response) => {
    ports.add(request.socket.remotePort);
    void text(request).then((body) => {
      response.writeHead(202, { 'x-own': request.headers['x-own'] });
      response.end(`${request.method} ${request.url} ${body}`);
    });
  });
  const client = clientOf();
  const said = async (body: string | Readable): Promise<unknown[]> => {
    const headers = { 'x-own': 'yes' };
    const response = await client.send({ method: 'POST', url: `${url}/a?b=c`, headers, body });
    return [response.statusCode, response.headers['x-own'], await text(response)];
  };
  expect(await said('{}')).toEqual([202, 'yes', 'POST /a?b=c {}']);
  expect(await said(Readable.from(['one ', 'two']))).toEqual([202, 'yes', 'POST /a?b=c one two']);
  expect(ports.size).toBe(1);
});

test('a server that sends nothing fails the request, and a body that stands still fails its reader', async () => {
  const client = clientOf({ silenceMs: 50 });
  const silent = await serverOf(() => undefined);
  await expect(client.send({ ...call, url: silent })).rejects.toMatchObject({ code: 'ETIMEDOUT' });
  const half = await serverOf((_request, response) => void response.write('half'));
  const response = await client.send({ ...call, url: half });
  await expect(text(response)).rejects.toThrow();
});

test('an aborted signal ends the wait and the body, and nothing is thrown beside', async () => {
  const url = await serverOf((_request, response) => void response.write('half'));
  const client = clientOf();
  const end = new AbortController();
  const response = await client.send({ ...call, url, signal: end.signal });
  end.abort();
  await expect(text(response)).rejects.toThrow();
  await expect(client.send({ ...call, url, signal: end.signal })).rejects.toMatchObject({
    name: 'AbortError',
  });
});

test('a body whose source fails rejects with that error', async () => {
  const url = await serverOf((request) => void request.resume());
  const body = new Readable({ read: () => undefined });
  const sent = clientOf().send({ ...call, method: 'POST', url, body });
  body.destroy(new Error('the disk failed'));
  await expect(sent).rejects.toThrow('the disk failed');
});

test('nobody listens: the code of Node', async () => {
  const server = createTcpServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  await expect(clientOf().send({ ...call, url: `http://127.0.0.1:${port}` })).rejects.toMatchObject({
    code: 'ECONNREFUSED',
  });
});
