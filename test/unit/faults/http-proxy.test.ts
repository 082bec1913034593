/** The proxy of the fault harness passes on what the product would see without it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { dockerEngine } from '../../../src/adapters/docker/index.ts';
import { Border } from '../../faults/border.ts';
import { httpProxy } from '../../faults/http-proxy.ts';
import type { Proxy } from '../../faults/listening.ts';

const BODY = JSON.stringify({ message: 'write /builds/big: no space left on device' });
const RESPONSE = `HTTP/1.1 500 Internal Server Error\r\nConnection: close\r\nContent-Length: ${BODY.length}\r\n\r\n${BODY}`;
const READ = 1_024 * 1_024;

let folder: string;
let server: Server;
let proxy: Proxy;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'davit-test-proxy-'));
});
afterEach(async () => {
  server.close();
  await proxy.close();
  await rm(folder, { recursive: true });
});

test('a response that comes before the request was read', async () => {
  server = createServer({ allowHalfOpen: true }, respondEarly).listen(join(folder, 'engine'));
  await once(server, 'listening');
  const at = join(folder, 'proxy');
  proxy = await httpProxy(
    new Border('arch>engine'),
    { socketPath: at },
    { socketPath: join(folder, 'engine') },
  );
  const engine = await dockerEngine({ address: `unix://${at}` });
  const source = Readable.from(Array.from({ length: 400 }, () => Buffer.alloc(65_536)));
  await expect(engine.upload('n', source)).rejects.toMatchObject({ code: 'engine/no-space' });
  await engine.close();
});

/** As a Go server: it stops to read, responds, and closes its half of the connection. */
function respondEarly(socket: Socket): void {
  let bytes = 0;
  socket.on('error', () => undefined);
  socket.on('data', (chunk) => {
    bytes += chunk.length;
    if (chunk.toString('latin1').startsWith('GET ')) {
      const body = JSON.stringify({ ApiVersion: '1.41' });
      socket.end(`HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    } else if (bytes > READ) {
      socket.pause().removeAllListeners('data');
      socket.end(RESPONSE);
    }
  });
}
