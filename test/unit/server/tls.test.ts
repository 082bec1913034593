import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { Agent, request } from 'node:https';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { TLSSocket } from 'node:tls';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createAuthority, issueCertificate } from '../../../src/local/authority/authority.ts';
import { installationSchema } from '../../../src/installation.ts';
import { serverLog } from '../../../src/server/log.ts';
import { startServer, type RunningServer } from '../../../src/server/start.ts';
import { reloadTls } from '../../../src/server/tls.ts';
import { buildApp } from '../../../src/server/app.ts';
import { readTls } from '../../../src/server/tls.ts';
import { bearer, testServer, TOKENS } from '../../support/server.ts';

let home: string;
let tls: { cert: string; key: string };
let running: RunningServer | undefined;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'davit-tls-'));
  await createAuthority(join(home, 'ca'), 'davit');
  await issueCertificate(join(home, 'ca'), { name: 'server', kind: 'server', hosts: [], days: 30 });
  tls = { cert: join(home, 'ca', 'server.crt'), key: join(home, 'ca', 'server.key') };
});
afterEach(async () => {
  await running?.close();
  running = undefined;
  await rm(home, { recursive: true, force: true });
});

const start = async (installation: unknown, host?: string): Promise<RunningServer> => {
  running = await startServer({
    settings: { logLevel: 'silent' },
    installation: installationSchema.parse(installation),
    installationId: 'tls',
    cliToken: TOKENS.cli,
    workerToken: TOKENS.worker,
    temporal: { address: '127.0.0.1:1', namespace: 'davit' },
    dataDir: join(home, 'data'),
    ...(host !== undefined && { host }),
  });
  return running;
};

/** Status and the certificate's serial number, over a connection of its own. */
const get = (url: string, ca?: string): Promise<{ status?: number; serial: string }> =>
  new Promise((resolve, reject) => {
    const agent = new Agent({ ca, maxCachedSessions: 0 });
    const call = request(`${url}/`, { agent, headers: bearer(TOKENS.cli) }, (response) => {
      const { socket } = response;
      const serial = socket instanceof TLSSocket ? socket.getPeerCertificate().serialNumber : '';
      response.resume();
      response.once('end', () => {
        agent.destroy();
        resolve({ status: response.statusCode, serial });
      });
    });
    call.once('error', reject);
    call.end();
  });
const hasIpv6 = Object.values(networkInterfaces()).some((all) => all?.some((one) => one.address === '::1'));
const authority = async (): Promise<string> =>
  (await import('node:fs/promises')).readFile(join(home, 'ca', 'ca.crt'), 'utf8');

describe('plain http', () => {
  test.each(['0.0.0.0', '::', '192.0.2.1', 'ci.lan'])('on %s is refused, with what to do', async (host) => {
    await expect(start({}, host)).rejects.toMatchObject({
      code: 'server/plain-http',
      message: expect.stringContaining(host) as string,
      hint: expect.stringMatching(/davit ca.*proxy.*insecure: true/) as string,
    });
  });
  const own = ['127.0.0.1', '127.0.0.2', 'localhost', ...(hasIpv6 ? ['::1'] : [])];
  test.each(own)('on %s is fine', async (host) => {
    expect((await start({}, host)).url).toMatch(/^http:/);
  });
  test('beyond the machine is fine where the operator says so', async () => {
    expect((await start({ listen: { insecure: true } }, '0.0.0.0')).url).toMatch(/^http:/);
  });
});

describe('TLS', () => {
  test('is served beyond the machine, to clients that know the authority', async () => {
    const { url } = await start({ tls }, '0.0.0.0');
    expect(url).toMatch(/^https:/);
    const local = url.replace(/\/\/[^:/]+/, '//127.0.0.1');
    expect(await get(local, await authority())).toMatchObject({ status: 200 });
    await expect(get(local)).rejects.toThrow(/certificate/);
    await expect(fetch(local.replace('https:', 'http:'))).rejects.toThrow();
  });

  test('needs a certificate and its key', async () => {
    await expect(start({ tls: { ...tls, cert: join(home, 'none') } })).rejects.toMatchObject({
      code: 'tls/file',
      message: expect.stringContaining(join(home, 'none')) as string,
    });
    await issueCertificate(join(home, 'ca'), { name: 'other', kind: 'server', hosts: [], days: 30 });
    const other = join(home, 'ca', 'other.key');
    await expect(start({ tls: { ...tls, key: other } })).rejects.toMatchObject({ code: 'tls/file' });
  });

  test('a renewed certificate counts for new connections; a broken one changes nothing', async () => {
    const server = await testServer();
    const app = buildApp({ ...server.deps, tls: await readTls(tls) });
    const url = await app.listen({ port: 0, host: '127.0.0.1' });
    const lines: string[] = [];
    const sink = new Writable({
      write(chunk: Buffer, _encoding, done) {
        lines.push(chunk.toString());
        done();
      },
    });
    const reloading = reloadTls(app.server, tls, { log: serverLog(pino(sink), []), everyMs: 5 });
    const ca = await authority();
    try {
      const first = await get(url, ca);
      expect((await get(url, ca)).serial).toBe(first.serial);
      await writeFile(`${tls.cert}.half`, 'not a certificate');
      await rename(`${tls.cert}.half`, tls.cert);
      await vi.waitUntil(() => lines.some((line) => line.includes('cannot be reloaded')));
      expect((await get(url, ca)).serial).toBe(first.serial);
      await issueCertificate(join(home, 'ca'), { name: 'server', kind: 'server', hosts: [], days: 30 });
      await vi.waitUntil(async () => (await get(url, ca)).serial !== first.serial);
    } finally {
      reloading.stop();
      await app.close();
      await server.close();
    }
  });
});
