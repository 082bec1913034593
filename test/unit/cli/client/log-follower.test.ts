import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ApiClient } from '../../../../src/cli/client/api-client.ts';
import { followLog } from '../../../../src/cli/client/log-follower.ts';
import type { LogRef } from '../../../../src/adapters/ports.ts';
import { job, pipeline, testServer, TOKENS, type TestServer } from '../../../support/server.ts';

let server: TestServer;
let client: ApiClient;
beforeEach(async () => {
  server = await testServer();
  client = new ApiClient(await server.app.listen({ port: 0, host: '127.0.0.1' }), TOKENS.reader);
});
afterEach(async () => {
  client.close();
  await server.close();
});
const setAttempt = (attempt: number): void =>
  void server.workflows.open.set(
    'table/1',
    pipeline('table/1', { jobs: [job('unit', { phase: 'running', attempt })] }),
  );
async function write(attempt: number, text: string): Promise<void> {
  const ref: LogRef = { pipeline: 'table/1', job: 'unit', attempt };
  await server.stores.logs.open(ref, 1);
  await server.stores.logs.append(ref, { epoch: 1, offset: 0, bytes: Buffer.from(text) });
}

test('a reconnected follower does not continue in the log of another attempt', async () => {
  setAttempt(1);
  await write(1, 'one: first\n');
  await write(2, 'two: all of it, from its first byte\n');
  let text = '';
  const told: string[] = [];
  const shown = Promise.withResolvers<void>();
  const end = followLog(client, {
    id: 'table/1',
    place: { job: 'unit' },
    signal: new AbortController().signal,
    onText: (more) => {
      text += more;
      if (text.includes('first')) shown.resolve();
    },
    tell: (line) => told.push(line),
  });
  await shown.promise;
  // The server is down for a moment, and the job is retried meanwhile.
  setAttempt(2);
  server.app.server.closeAllConnections();
  expect(await end).toMatchObject({ bytes: 11, complete: false });
  expect(text).toBe('one: first\n');
});

test('a server that stops in the middle of a log is reported as unreachable', async () => {
  const broken = createServer((_request, response) => {
    response.writeHead(200, { 'content-length': 100 }).write('half of it');
    setTimeout(() => response.destroy(), 20);
  }).listen(0, '127.0.0.1');
  await once(broken, 'listening');
  const other = new ApiClient(`http://127.0.0.1:${(broken.address() as AddressInfo).port}`, 'token');
  try {
    const page = await other.log('table/1', { job: 'unit' });
    const read = async (): Promise<number> => {
      let bytes = 0;
      for await (const chunk of page.body) bytes += chunk.length;
      return bytes;
    };
    await expect(read()).rejects.toMatchObject({ code: 'cli/no-server', exit: 3 });
    await expect(other.pipelines({})).rejects.toMatchObject({ code: 'cli/no-server' });
  } finally {
    other.close();
    broken.close();
  }
});
