import { createServer } from 'node:net';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { installationSchema, type Installation } from '../../../src/installation.ts';
import { factsOf, startServer, type StartOptions } from '../../../src/server/start.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'davit-start-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const options = (more: Partial<StartOptions> = {}): StartOptions => ({
  settings: { logLevel: 'silent' },
  installation: installationSchema.parse({}),
  installationId: 'the-installation',
  cliToken: 'c'.repeat(32),
  workerToken: 'w'.repeat(32),
  // Nothing listens there, and the server must start and respond nevertheless.
  temporal: { address: '127.0.0.1:1', namespace: 'davit' },
  dataDir: join(folder, 'data'),
  ...more,
});
const withSecret = (webhook_secret: string): Installation =>
  installationSchema.parse({
    projects: [{ name: 'table', forge: 'github', repository: 'a/b', webhook_secret }],
  });

describe('the start', () => {
  test('listens on a free port of the loopback without waiting for Temporal', async () => {
    const server = await startServer(options());
    expect(server.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    const health: unknown = await (await fetch(`${server.url}/healthz`)).json();
    expect(health).toMatchObject({ ok: false, temporal: 'down', installation: 'the-installation' });
    await expect(startServer(options())).rejects.toMatchObject({ code: 'store/in-use' });
    await server.close();
    await (await startServer(options())).close();
  });

  test('an empty or missing webhook secret prevents it, and its value is not shown', async () => {
    await writeFile(join(folder, 'empty'), '\n');
    for (const secret of [
      `file:${join(folder, 'empty')}`,
      `file:${join(folder, 'none')}`,
      'env:DAVIT_TEST_NOT_SET',
    ])
      await expect(startServer(options({ installation: withSecret(secret) }))).rejects.toMatchObject({
        code: 'secret/missing',
      });
    // No lock remains.
    await (await startServer(options())).close();
  });

  test('a taken port, too short tokens', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => void other.listen(0, '127.0.0.1', resolve));
    const { port } = other.address() as AddressInfo;
    await expect(startServer(options({ port }))).rejects.toMatchObject({ code: 'server/port' });
    other.close();
    await expect(startServer(options({ workerToken: 'short' }))).rejects.toMatchObject({
      code: 'installation/invalid',
    });
    await (await startServer(options())).close();
  });
});

describe('facts for workers', () => {
  const installation = installationSchema.parse({
    registries: [{ host: 'registry.test', default: true }],
    users: [{ name: 'rea', role: 'reader', token_sha256: '0'.repeat(64) }],
    projects: [{ name: 'table', webhook_secret: 'env:HOOK' }],
  });

  test('include the embedded registry beside those of the file, and no user', () => {
    const facts = factsOf({ installation, installationId: 'x', registry: '127.0.0.1:5000' }, 'http://server');
    expect(facts.config.registries.map((one) => [one.host, one.default])).toEqual([
      ['registry.test', true],
      ['127.0.0.1:5000', false],
    ]);
    expect(JSON.stringify(facts)).not.toMatch(/"rea"|token_sha256/);
    expect(facts.config.helper_image).toBe('davit/helper:1');
  });

  test('name the embedded registry as the default if the file has none', () => {
    const bare = installationSchema.parse({});
    const facts = factsOf(
      { installation: bare, installationId: 'x', registry: '127.0.0.1:5000', helperImage: 'own:1' },
      'u',
    );
    expect(facts.config.registries).toEqual([{ host: '127.0.0.1:5000', insecure: true, default: true }]);
    expect(facts.config.helper_image).toBe('own:1');
    // By a name for other machines it has a certificate, so nobody speaks plain http to it.
    const host = 'images.example.com:5443';
    const shared = factsOf(
      {
        ...{ installation: bare, installationId: 'x', registry: host },
        ownRegistry: { host, key: 'k', ca: 'PEM' },
      },
      'u',
    );
    expect(shared.config.registries).toEqual([{ host, insecure: false, default: true }]);
  });
});
