/** A client that disappears ends its own request and nothing else. */
import { once } from 'node:events';
import { connect, type AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ROUTES } from '../../support/routes.ts';
import { testServer, TOKENS, type TestServer } from '../../support/server.ts';

let server: TestServer;
let port: number;
beforeAll(async () => {
  server = await testServer({
    projects: [{ name: 'table', forge: 'github', repository: 'https://forge.test/team/table.git' }],
    secrets: { table: 'a-webhook-secret-0123456789' },
  });
  await server.app.listen({ port: 0, host: '127.0.0.1' });
  port = (server.app.server.address() as AddressInfo).port;
});
afterAll(() => server.close());

const TYPES = ['application/octet-stream', 'application/json', 'application/x-davit-frame'] as const;

/** What a client has sent when its connection breaks. */
function stages(head: string, type: string): Record<string, string> {
  const typed = `${head}content-type: ${type}\r\n`;
  return {
    'in the request line': head.slice(0, 8),
    'in the headers': head,
    'before the body': `${typed}content-length: 1000\r\n\r\n`,
    'in the body': `${typed}content-length: 1000\r\n\r\n0123456789`,
    'in a chunk': `${typed}transfer-encoding: chunked\r\n\r\n64\r\n0123456789`,
    'between two chunks': `${typed}transfer-encoding: chunked\r\n\r\na\r\n0123456789\r\n`,
    'before the response': `${typed}content-length: 2\r\n\r\n{}`,
  };
}

const tokenFor = (path: string): string => (path.startsWith('/internal/') ? TOKENS.worker : TOKENS.operator);

/** Resolves when the server has noticed the broken connection. */
async function breakOff(sent: string): Promise<void> {
  const accepted = once(server.app.server, 'connection');
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  const [accept] = await accepted;
  const { promise: noticed, resolve } = Promise.withResolvers<void>();
  accept.once('close', () => resolve());
  socket.write(sent, () => socket.resetAndDestroy());
  await noticed;
}

// An error that nobody listens for is an uncaught exception: it ends a server, and this test run with it.
test.each(Object.keys(ROUTES))('a broken connection to %s ends the request only', async (route) => {
  const [method, pattern = ''] = route.split(' ');
  const path = pattern
    .replace(':slug', 'table')
    .replace(':iid', '1')
    .replace(':digest', `sha256:${'0'.repeat(64)}`)
    .replace(':forge', 'github')
    .replace(':key', 'request:x');
  const head = `${method} ${path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${tokenFor(path)}\r\n`;
  for (const type of TYPES) for (const sent of Object.values(stages(head, type))) await breakOff(sent);
  const health = await fetch(`http://127.0.0.1:${port}/healthz`);
  expect(health.status).toBe(200);
});

test('a broken upload leaves no file', async () => {
  const { readdir } = await import('node:fs/promises');
  const files = await readdir(server.folder, { recursive: true, withFileTypes: true });
  expect(files.filter((file) => file.isFile() && file.parentPath.includes('scratch'))).toEqual([]);
});
