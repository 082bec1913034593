import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readSettings } from '../../src/config.ts';
import { wireWorker } from '../../src/wiring.ts';
import { testFacts } from './activities/fakes.ts';

let home: string;
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'davit-wiring-'));
  await writeFile(join(home, 'token'), 'a-token-of-all-the-workers\n');
  await writeFile(join(home, 'short'), 'x');
});
afterAll(() => rm(home, { recursive: true }));

const settings = (more: Record<string, string | undefined>) =>
  readSettings({ DAVIT_HOME: home, DAVIT_WORKER_TOKEN_FILE: join(home, 'token'), ...more });

test('a worker without its token or server reports which is missing and what to do', async () => {
  const url = 'http://127.0.0.1:1';
  for (const file of ['none', 'short'])
    await expect(
      wireWorker(settings({ DAVIT_SERVER: url, DAVIT_WORKER_TOKEN_FILE: join(home, file) })),
    ).rejects.toMatchObject({ code: 'worker/no-token' });
  await expect(wireWorker(settings({}))).rejects.toMatchObject({ code: 'worker/no-server' });
  await expect(wireWorker(settings({ DAVIT_SERVER: url }), { deadlineMs: 10 })).rejects.toMatchObject({
    code: 'worker/no-server',
  });
});

test('facts come from the server, with the token of workers; targets come from the file', async () => {
  let config: Record<string, unknown> = { targets: [{ name: 'prod', docker: 'unix:///nowhere.sock' }] };
  const server = createServer((request, response) => {
    const known = request.headers.authorization === 'Bearer a-token-of-all-the-workers';
    response.writeHead(known ? 200 : 401, { 'content-type': 'application/json' });
    response.end(JSON.stringify(testFacts(config)));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    const { port } = server.address() as AddressInfo;
    const wired = settings({ DAVIT_SERVER: `http://127.0.0.1:${port}` });
    const ports = await wireWorker(wired);
    expect(ports.facts).toEqual(testFacts(config));
    expect((await ports.target('prod')).name).toBe('prod');
    await expect(ports.target('other')).rejects.toMatchObject({ code: 'deploy/unknown-target' });
    const sealed = await ports.secrets.seal(Buffer.from('x'));
    expect(Buffer.from(await ports.secrets.unseal(sealed)).toString()).toBe('x');
    config = {};
    expect((await (await wireWorker(wired)).target('local')).name).toBe('local');
  } finally {
    server.close();
    server.closeAllConnections();
  }
});
