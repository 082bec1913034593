/** A machine of workers asks its server as a worker does, and names what keeps it away. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readSettings, type Settings } from '../../../../src/config.ts';
import { checkServices } from '../../../../src/local/doctor/services.ts';
import { examineWorkerMachine } from '../../../../src/local/doctor/worker-machine.ts';
import { testServer, type TestServer } from '../../../support/server.ts';

let server: TestServer;
let url: string;
let folder: string;
beforeAll(async () => {
  server = await testServer();
  url = await server.app.listen({ host: '127.0.0.1', port: 0 });
  folder = await mkdtemp(join(tmpdir(), 'davit-doctor-'));
});
afterAll(async () => {
  await server.close();
  await rm(folder, { recursive: true, force: true });
});

const settings = (more: Partial<Settings> = {}): Settings => ({
  ...readSettings({ DAVIT_HOME: folder, DAVIT_WORKER_TOKEN_FILE: join(folder, 'token') }),
  serverUrl: url,
  ...more,
});
async function withToken(text: string) {
  await writeFile(join(folder, 'token'), text);
  return examineWorkerMachine(settings());
}
const made = (until?: number) =>
  server.deps.workerTokens.create(
    { name: 'board', forks: false, protected_only: false, ...(until !== undefined && { until }) },
    'me',
  );

test('its token is that of a machine, and the server says what the installation is', async () => {
  const { token } = await made();
  const found = await withToken(token);
  expect(found?.findings).toMatchObject([{ verdict: 'ok', found: expect.stringContaining('that of board') }]);
  expect(found?.facts?.installation).toBe('the-installation');
});

test.each([
  ['missing', undefined, 'wrong-token', /davit worker token create NAME/],
  ['short', 'short', 'wrong-token', /davit worker token create NAME/],
  ['wrong', 'a-token-that-nobody-has-made', 'wrong-token', /DAVIT_WORKER_TOKEN_FILE/],
])('a token that is %s', async (_, text, fault, remedy) => {
  await rm(join(folder, 'token'), { force: true });
  const found = text === undefined ? await examineWorkerMachine(settings()) : await withToken(text);
  expect(found?.findings).toMatchObject([
    { name: 'worker token', verdict: 'fail', fault, remedy: expect.stringMatching(remedy) },
  ]);
});

test('a token that has expired is named with its machine', async () => {
  const { token } = await made(Date.now() - 1);
  expect((await withToken(token))?.findings).toMatchObject([
    {
      fault: 'token-expired',
      found: expect.stringContaining('the worker board'),
      remedy: expect.stringContaining('create board'),
    },
  ]);
});

test('a server that does not answer is named once by each check, with a way to look on', async () => {
  await writeFile(join(folder, 'token'), 'a-token-that-nobody-has-made');
  const away = settings({ serverUrl: 'http://127.0.0.1:1' });
  expect((await examineWorkerMachine(away))?.findings).toMatchObject([
    { fault: 'server-unreachable', remedy: expect.stringContaining('curl -v http://127.0.0.1:1/healthz') },
  ]);
  const never = () => Promise.reject(new Error('not asked'));
  const services = await checkServices({
    settings: { ...away, temporalAddress: '127.0.0.1:1' },
    isWorker: true,
    workers: never,
    reconciliation: never,
    commitStatuses: never,
    temporalUi: async () => undefined,
  });
  expect(services.map(({ name, code, fault }) => [name, code ?? fault])).toEqual([
    ['temporal', 'temporal/unreachable'],
    ['server', 'server-unreachable'],
  ]);
});

test('a machine without a server, or with a davit of its own, is none', async () => {
  expect(await examineWorkerMachine(settings({ serverUrl: undefined }))).toBeUndefined();
  expect(await examineWorkerMachine(readSettings({ DAVIT_HOME: folder, DAVIT_SERVER: url }))).toBeUndefined();
});
