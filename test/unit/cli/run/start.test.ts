/** The messages for a person who starts a pipeline while Temporal is down. */
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startPipeline } from '../../../../src/cli/run/start.ts';
import { testCli } from '../support.ts';

let server: Server;
let folder: string;
let starts: unknown[] = [];
/** Failed responses before the server accepts the request; negative: all fail. */
let away = 0;
let heard = Promise.withResolvers<void>();
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'davit-start-'));
  writeFileSync(join(folder, '.gitlab-ci.yml'), 'unit:\n  script: [make]\n');
  starts = [];
  heard = Promise.withResolvers();
  server = createServer((request, response) => void answer(request, response)).listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = await buffer(request);
  const say = (status: number, what: unknown): void =>
    void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(what));
  if (request.url === '/api/v1/blobs') return say(200, { digest: `sha256:${'0'.repeat(64)}`, bytes: 1 });
  if (request.method === 'GET') return say(200, { state: 'started', pipeline: 'shop/1' });
  starts.push(JSON.parse(body.toString()));
  heard.resolve();
  if (away-- === 0) return say(202, {});
  const message = 'The Temporal server did not respond.';
  return say(503, { error: { code: 'temporal/unreachable', message, hint: 'davit doctor' } });
}

function start(signal: AbortSignal) {
  const { port } = server.address() as AddressInfo;
  const env = { DAVIT_SERVER: `http://127.0.0.1:${port}`, DAVIT_TOKEN: 'dvt_token' };
  const { cli, written } = testCli(folder, folder, env);
  return { started: startPipeline(cli, { signal, letGo: new AbortController().signal }), written };
}

test('a retried request prints its reason once, and uses one key', async () => {
  away = 2;
  const { started, written } = start(new AbortController().signal);
  const done = await started;
  done?.client.close();
  expect(done?.id).toBe('shop/1');
  expect(
    written.err.match(/The Temporal server did not respond\. Retrying; the pipeline starts only once\./g),
  ).toHaveLength(1);
  expect(starts).toHaveLength(3);
  expect(new Set(starts.map((one) => JSON.stringify(one))).size).toBe(1);
});

test('an aborted request reports that the pipeline may still start', async () => {
  away = -1;
  const given = new AbortController();
  const { started, written } = start(given.signal);
  await heard.promise;
  given.abort(new Error('interrupted'));
  await expect(started).rejects.toThrow();
  expect(written.err).toContain('may still start; check with: davit pipelines');
});
