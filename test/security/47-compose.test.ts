/** Row 47, as docker-compose.yml sets it up: what the token of one worker opens at the server. */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { readSettings } from '../../src/config.ts';
import { startLocalServer } from '../../src/local/machine/local-server.ts';
import type { RunningServer } from '../../src/server/start.ts';
import { attemptOf } from '../support/attempts.ts';
import { bearer } from '../support/server.ts';
import { ROOT } from '../support/source.ts';

let folder: string;
let server: RunningServer;
const path = (name: string): string => join(folder, 'compose', 'secrets', name);
const token = (name: string): string => readFileSync(path(name), 'utf8');

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'davit-compose-server-'));
  cpSync(join(ROOT, 'compose'), join(folder, 'compose'), { recursive: true });
  rmSync(join(folder, 'compose', 'secrets'), { recursive: true, force: true });
  writeFileSync(join(folder, 'socket'), '');
  const env = { ...process.env, DOCKER_SOCKET: join(folder, 'socket') };
  execFileSync(join(folder, 'compose', 'init.sh'), { env });
  const settings = readSettings({
    HOME: folder,
    DAVIT_HOME: join(folder, 'home'),
    DAVIT_LOG_LEVEL: 'silent',
    DAVIT_TOKEN_FILE: path('cli-token'),
    DAVIT_CONTROL_TOKEN_FILE: path('control-token'),
    DAVIT_WORKERS_FILE: path('workers'),
    DAVIT_WORKER_TOKEN_FILE: path('worker-token'),
    DAVIT_REGISTRY_KEY_FILE: path('registry-key'),
    // Nothing here needs Temporal.
    TEMPORAL_ADDRESS: '127.0.0.1:1',
  });
  server = await startLocalServer(settings, { port: 0, host: '127.0.0.1' });
});
afterAll(async () => {
  await server?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** `ok`, or the code of the refusal. */
async function opened(name: string, at: string, payload?: object): Promise<string> {
  const { authorization } = bearer(token(name));
  const answer = await fetch(`${server.url}/internal/v1/${at}`, {
    headers: { authorization, ...(payload && { 'content-type': 'application/json' }) },
    ...(payload && { method: 'POST', body: JSON.stringify(payload) }),
  });
  if (answer.ok) return 'ok';
  return z.object({ error: z.object({ code: z.string() }) }).parse(await answer.json()).error.code;
}
const MASKS = { prefix: 'masks', limit: 10 };
const ref = attemptOf('beta/1', 'unit', { epoch: 99 });

test.each(['worker-arm32', 'worker-arm64', 'worker-amd64', 'worker-deploy'])(
  'the token of %s proves the worker, and opens no log and no record',
  async (worker) => {
    const name = `${worker}-token`;
    expect(await opened(name, 'facts')).toBe('ok');
    // A worker that shows its own token there is one of an earlier version.
    expect(await opened(name, 'logs/open', { ref, epoch: 99 })).toBe('worker/outdated');
    expect(await opened(name, 'records/list', MASKS)).toBe('auth/denied');
    expect(await opened(name, 'records/put', { name: 'caches/beta/protected/a', value: {} })).toBe(
      'worker/outdated',
    );
  },
);

test('that of the control worker opens records, which its workflows need', async () => {
  expect(await opened('control-token', 'records/list', MASKS)).toBe('ok');
});
