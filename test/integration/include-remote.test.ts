/**
 * The fetch of `include: remote` against a real https server: what it reaches, what it never does, what it
 * sends.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { remoteFiles, type Lookup, type RemoteOptions } from '../../src/adapters/http/remote.ts';
import { httpsFiles, type HttpsFiles } from '../support/https-files.ts';

let folder: string;
let server: HttpsFiles;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'davit-test-remote-'));
  server = await httpsFiles(folder);
});
afterAll(async () => {
  await server.close();
  await rm(folder, { recursive: true, force: true });
});

/** Trusts the test's authority and reaches its server, unless overridden. */
const fetcher = (more: RemoteOptions = {}) =>
  remoteFiles({ allowHosts: ['localhost'], caFile: server.caFile, ...more });
const textOf = async (path: string, more?: RemoteOptions): Promise<string> =>
  new TextDecoder().decode(await fetcher(more).get(server.url + path));
const resolving =
  (...addresses: string[]): Lookup =>
  (_host, done) =>
    done(
      null,
      addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
    );
/** What it rejects with, if the server got no request. */
async function refusal(url: string, more: RemoteOptions = {}): Promise<string> {
  const before = server.asked.length;
  const said = await fetcher(more)
    .get(url)
    .then(
      () => 'it was fetched',
      (error: Error & { code: string }) => `${error.code}: ${error.message}`,
    );
  expect(server.asked.length).toBe(before);
  return said;
}

test('fetches a file, and sends nothing of its own in the request', async () => {
  server.files.set('/a.yml', 'a: 1');
  expect(await textOf('a.yml')).toBe('a: 1');
  const { headers } = server.asked.at(-1) ?? { headers: {} };
  expect(Object.keys(headers).toSorted()).toEqual([
    'accept',
    'accept-encoding',
    'connection',
    'host',
    'user-agent',
  ]);
});

test.each([
  ['https://127.0.0.1:PORT/a.yml'],
  ['https://2130706433:PORT/a.yml'],
  ['https://0x7f.1:PORT/a.yml'],
  ['https://[::1]:PORT/a.yml'],
  ['https://[::ffff:127.0.0.1]:PORT/a.yml'],
  ['https://[fd00::1]/a.yml'],
  ['https://[fe80::1]/a.yml'],
  ['https://169.254.169.254/a.yml'],
  ['https://100.64.0.1/a.yml'],
  ['https://0.0.0.0:PORT/a.yml'],
])('%s is not a public address', async (url) => {
  expect(await refusal(url.replace('PORT', String(server.port)))).toMatch(
    /^include\/refused: .* is not a public address\.$/,
  );
});

test('a name with a private address is refused, even if it has a public one too', async () => {
  const url = `https://rebind.example:${server.port}/a.yml`;
  expect(await refusal(url, { lookup: resolving('127.0.0.1') })).toContain(
    'rebind.example is not a public address',
  );
  expect(await refusal(url, { lookup: resolving('93.184.216.34', '10.0.0.1') })).toContain(
    'is not a public address',
  );
  expect(await refusal(url, { lookup: resolving('fd00::1') })).toContain('is not a public address');
  // localhost itself, resolved by the machine.
  expect(await refusal(`https://localhost:${server.port}/a.yml`, { allowHosts: [] })).toContain(
    'not a public',
  );
});

test('a redirect is followed if allowed, and checked like the first address', async () => {
  const to = (location: string) => (response: ServerResponse) => response.writeHead(302, { location }).end();
  server.files.set('/moved.yml', to('/a.yml'));
  expect(await textOf('moved.yml')).toBe('a: 1');
  for (const [name, location, said] of [
    ['private.yml', 'https://127.0.0.1/a.yml', 'is not a public address'],
    ['metadata.yml', 'https://169.254.169.254/latest/a.yml', 'is not a public address'],
    ['plain.yml', `http://localhost:${server.port}/a.yml`, 'is not an https address'],
    ['password.yml', `https://u:canary@localhost:${server.port}/a.yml`, 'user name or password'],
    ['round.yml', '/round.yml', 'redirects more than 3 times'],
  ] as const) {
    server.files.set(`/${name}`, to(location));
    const error = await textOf(name).catch((thrown: Error) => thrown.message);
    expect(error).toContain(said);
    expect(error).not.toContain('canary');
  }
});

test('an endless body stops at 1 MiB, a silent server at the time limit', async () => {
  server.files.set('/endless.yml', (response) => {
    const chunk = Buffer.alloc(64 * 1024, 'x');
    const more = (): void => {
      while (!response.destroyed && response.write(chunk));
      if (!response.destroyed) response.once('drain', more);
    };
    more();
  });
  await expect(textOf('endless.yml')).rejects.toMatchObject({ code: 'include/refused', message: /1 MiB/ });
  server.files.set('/silent.yml', () => undefined);
  await expect(textOf('silent.yml', { timeoutMs: 200 })).rejects.toMatchObject({
    code: 'include/unreachable',
    message: /in time/,
  });
});

test('an error response: its code separates a mistake from an outage; tokens and bodies are not repeated', async () => {
  server.files.set('/gone.yml?token=canary', (response) => response.writeHead(404).end('canary'));
  server.files.set('/down.yml', (response) => response.writeHead(503).end('canary'));
  const said = (path: string) =>
    textOf(path).catch((thrown: Error & { code: string }) => `${thrown.code} ${thrown.message}`);
  expect(await said('gone.yml?token=canary')).toBe(
    `include/refused ${server.url}gone.yml responded with HTTP 404.`,
  );
  expect(await said('down.yml')).toBe(`include/unreachable ${server.url}down.yml responded with HTTP 503.`);
});

test('an untrusted certificate, a forbidden port, a host that is not on the list', async () => {
  expect(await refusal(`${server.url}a.yml`, { caFile: undefined })).toContain('is not trusted');
  expect(await refusal(`${server.url}a.yml`, { caFile: join(folder, 'none.pem') })).toContain(
    'Cannot read includes.ca_file',
  );
  expect(await refusal('https://example.com:22/a.yml')).toContain('Port 22 of example.com');
  expect(await refusal('https://example.com/a.yml', { onlyHosts: ['*.internal'] })).toContain(
    'does not allow files from',
  );
});
