/**
 * TLS with an authority of davit's own: a real server, the command line in a process of its own, a worker's
 * connections; and registries and forges with an authority that nothing else trusts.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { forgeRefs } from '../../src/adapters/forge/index.ts';
import { cloneOptions } from '../../src/adapters/git/clone-protocols.ts';
import { gitSource } from '../../src/adapters/git/index.ts';
import { httpStores } from '../../src/adapters/http/index.ts';
import { serverAuthority } from '../../src/adapters/http/server-authority.ts';
import { configuredRegistries } from '../../src/adapters/registry/configured.ts';
import { installationSchema, projectSchema } from '../../src/installation.ts';
import { readSettings } from '../../src/config.ts';
import type { Finding } from '../../src/local/doctor/check.ts';
import { checkServices } from '../../src/local/doctor/services.ts';
import { createAuthority, issueCertificate } from '../../src/local/authority/authority.ts';
import { trustAuthority } from '../../src/local/process/trust.ts';
import { startServer, type RunningServer } from '../../src/server/start.ts';
import { httpsFiles, type HttpsFiles } from '../support/https-files.ts';
import { TOKENS } from '../support/server.ts';

const MAIN = join(import.meta.dirname, '..', '..', 'src', 'cli', 'main.ts');
let home: string;
let server: RunningServer;
let files: HttpsFiles;
const ca = (): string => join(home, 'ca', 'ca.crt');

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'davit-tls-'));
  await createAuthority(join(home, 'ca'), 'davit');
  await issueCertificate(join(home, 'ca'), { name: 'server', kind: 'server', hosts: [], days: 30 });
  server = await startServer({
    settings: { logLevel: 'silent' },
    installation: installationSchema.parse({
      tls: { cert: join(home, 'ca', 'server.crt'), key: join(home, 'ca', 'server.key') },
    }),
    installationId: 'tls',
    cliToken: TOKENS.cli,
    workerToken: TOKENS.worker,
    // Nothing here needs Temporal.
    temporal: { address: '127.0.0.1:1', namespace: 'davit' },
    dataDir: join(home, 'data'),
  });
  files = await httpsFiles(home);
});
afterAll(async () => {
  await files.close();
  await server.close();
  await rm(home, { recursive: true, force: true });
});

const cli = (env: Record<string, string>): Promise<{ code: number; out: string; err: string }> =>
  new Promise((resolve) => {
    const options = {
      env: {
        PATH: process.env.PATH,
        DAVIT_CACHE: join(home, 'cache'),
        DAVIT_SERVER: server.url,
        DAVIT_TOKEN: TOKENS.cli,
        ...env,
      },
    };
    const child = execFile(process.execPath, [MAIN, 'audit', '--json'], options, (_error, out, err) =>
      resolve({ code: child.exitCode ?? -1, out, err }),
    );
  });

describe('the command line', () => {
  test('trusts the authority that DAVIT_CA_FILE names, or that of its home', async () => {
    expect(server.url).toMatch(/^https:/);
    expect(await cli({ DAVIT_HOME: join(home, 'other'), DAVIT_CA_FILE: ca() })).toMatchObject({ code: 0 });
    expect(await cli({ DAVIT_HOME: home })).toMatchObject({ code: 0 });
  });
  test('refuses a server that it cannot verify, and says which file it cannot read', async () => {
    const unknown = await cli({ DAVIT_HOME: join(home, 'other') });
    expect(unknown).toMatchObject({
      code: 3,
      err: expect.stringMatching(/cannot be verified.*\n.*DAVIT_CA_FILE/) as string,
    });
    const missing = await cli({ DAVIT_HOME: home, DAVIT_CA_FILE: join(home, 'none.crt') });
    expect(missing).toMatchObject({ code: 2, err: expect.stringContaining('none.crt') as string });
  });
});

describe('registries and forges', () => {
  const secrets = { resolve: async () => 'a-forge-token' };

  test('a registry is verified by its ca_file', async () => {
    files.files.set('/v2/', '{}');
    const host = `localhost:${files.port}`;
    const ping = async (ca_file?: string): Promise<void> => {
      const settings = { host, insecure: false, default: true, ...(ca_file !== undefined && { ca_file }) };
      const { registry } = await configuredRegistries([settings], secrets).forImage(`${host}/x`);
      await registry.ping();
    };
    await ping(files.caFile);
    await expect(ping(ca())).rejects.toMatchObject({ code: 'registry/unreachable' });
    await expect(ping(join(home, 'none.pem'))).rejects.toMatchObject({ code: 'tls/file' });
  });

  test('davit doctor looks at the registries of the installation file, each by its ca_file', async () => {
    files.files.set('/v2/', '{}');
    const host = `localhost:${files.port}`;
    const found = async (ca_file: string): Promise<Finding[]> => {
      await writeFile(
        join(home, 'davit.config.yml'),
        JSON.stringify({ registries: [{ host, default: true, ca_file }] }),
      );
      const settings = readSettings({ HOME: home, DAVIT_HOME: home, TEMPORAL_ADDRESS: '127.0.0.1:1' });
      const none = async (): Promise<[]> => [];
      const all = await checkServices({
        settings,
        workers: none,
        reconciliation: none,
        commitStatuses: none,
        temporalUi: async () => undefined,
      });
      return all.filter(({ name }) => name === 'registry');
    };
    expect(await found(files.caFile)).toMatchObject([{ found: expect.stringContaining(host) as string }]);
    expect((await found(files.caFile))[0]?.verdict).not.toBe('fail');
    expect(await found(ca())).toMatchObject([
      { verdict: 'fail', remedy: expect.stringContaining('ca_file') as string },
    ]);
    await rm(join(home, 'davit.config.yml'));
  });

  test('the API of a forge is verified by forge_ca_file', async () => {
    for (const kind of ['protected_branches', 'protected_tags'])
      files.files.set(`/api/v4/projects/team%2Ftable/${kind}?per_page=100&page=1`, '[]');
    const read = (forge_ca_file?: string) =>
      forgeRefs({ secrets }).read(
        projectSchema.parse({
          name: 'table',
          forge: 'gitlab',
          forge_url: files.url,
          forge_token: 'env:X',
          repository: 'team/table',
          forge_ca_file,
        }),
      );
    expect(await read(files.caFile)).toEqual({ branches: [], tags: [] });
    await expect(read()).rejects.toMatchObject({ code: 'forge/away' });
  });

  test('a clone is verified by forge_ca_file, for that origin alone', async () => {
    const sha = 'a'.repeat(40);
    files.files.set('/table.git/info/refs?service=git-upload-pack', `${sha}\trefs/heads/main\n`);
    files.files.set('/table.git/HEAD', 'ref: refs/heads/main\n');
    const clone_url = `${files.url}table.git`;
    const head = (forge_ca_file?: string, forge_url?: string) =>
      gitSource(cloneOptions([{ clone_url: forge_url ?? clone_url, forge_ca_file }])).head(
        clone_url,
        'refs/heads/main',
      );
    expect(await head(files.caFile)).toBe(sha);
    await expect(head()).rejects.toMatchObject({ code: 'git/unreachable' });
    await expect(head(files.caFile, 'https://elsewhere.test/table.git')).rejects.toThrow();
  });
});

test('a worker verifies the server, by the authority that its process trusts', async () => {
  const stores = () => httpStores({ url: server.url, workerToken: TOKENS.worker, patienceMs: 100 });
  const before = stores();
  await expect(before.facts()).rejects.toMatchObject({ code: 'tls/untrusted' });
  await before.close();
  trustAuthority({ home: join(home, 'other'), caFile: ca() });
  const after = stores();
  expect((await after.facts()).installation).toBe('tls');
  await after.close();
  expect(await readFile(ca(), 'utf8')).toContain('BEGIN CERTIFICATE');
});

test('what jobs get to verify the server: the authority that has signed its certificate, and no other', async () => {
  const pem = await readFile(ca(), 'utf8');
  expect(await serverAuthority(ca(), server.url)()).toBe(pem);
  expect(await serverAuthority(files.caFile, server.url)()).toBeUndefined();
  expect(await serverAuthority(ca(), 'http://127.0.0.1:1')()).toBeUndefined();
  expect(await serverAuthority(ca(), 'https://127.0.0.1:1')()).toBeUndefined();
  expect(await serverAuthority(undefined, server.url)()).toBeUndefined();
});
