import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { followAudit } from '../../../src/cli/client/audit-follower.ts';
import { ApiClient } from '../../../src/cli/client/api-client.ts';
import { timeOf } from '../../../src/cli/commands/audit.ts';
import { runCli } from '../../../src/cli/program.ts';
import type { AuditEntry } from '../../../src/plan/model/audit.ts';
import { bearer, testServer, TOKENS, type TestServer } from '../../support/server.ts';
import { testCli } from './support.ts';

let folder: string;
let server: TestServer;
let url: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'davit-test-'));
  server = await testServer();
  url = await server.app.listen({ port: 0, host: '127.0.0.1' });
  await fetch(`${url}/api/v1/collection`, {
    method: 'POST',
    headers: { ...bearer(TOKENS.developer), 'content-type': 'application/json' },
    body: '{"dryRun":true}',
  });
});
afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});
const run = async (args: string[], token: string = TOKENS.operator) => {
  const { cli, written } = testCli(folder, folder, { DAVIT_SERVER: url, DAVIT_TOKEN: token });
  const exit = await runCli(cli, ['audit', ...args]);
  return { exit, ...written };
};

test('prints who did what, from where, with which role, and how it ended', async () => {
  const { exit, out } = await run(['--since', '1h']);
  expect(exit).toBe(0);
  expect(out.split('\n')[0]).toMatch(
    /^\d{4}-\S+Z refused blobs\.collect by the developer \(developer\) from 127\.0\.0\.1 \[auth\/denied\]$/,
  );
  expect((await run(['--since', '2999-01-01'])).out).toBe('');
});

test('prints lines of JSON', async () => {
  const { out } = await run(['--json', '--limit', '1']);
  expect(JSON.parse(out)).toMatchObject({ from: '127.0.0.1', about: {} });
});

test('is for operators', async () => {
  const { exit, err } = await run([], TOKENS.developer);
  expect(exit).toBe(2);
  expect(err).toContain('[auth/denied]');
});

test('what --since takes', () => {
  const now = Date.parse('2026-01-31T12:00:00Z');
  expect(timeOf('2h', now)).toBe('2026-01-31T10:00:00.000Z');
  expect(timeOf('2026-01-30', now)).toBe('2026-01-30T00:00:00.000Z');
  expect(() => timeOf('soon', now)).toThrow(/neither a time nor a duration/);
});

test('a follower shows each entry once, also after a lost connection', async () => {
  const client = new ApiClient(url, TOKENS.operator);
  const shown: AuditEntry[] = [];
  const stop = new AbortController();
  const stored = await server.stores.audit.read({ kinds: ['refused'], limit: 10 });
  const act = () => server.app.inject({ url: '/api/v1/audit', headers: bearer(TOKENS.reader) });
  const following = followAudit(client, {
    after: stored,
    kinds: ['refused'],
    signal: stop.signal,
    onEntry: (entry) => {
      shown.push(entry);
      if (shown.length === 1) {
        server.app.server.closeAllConnections();
        void act();
      } else stop.abort();
    },
    tell: () => undefined,
  });
  await act();
  await following;
  const all = await server.stores.audit.read({ kinds: ['refused'], limit: 10 });
  expect(shown).toEqual(all.slice(stored.length, stored.length + 2));
  client.close();
});
