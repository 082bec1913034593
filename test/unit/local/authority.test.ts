import { X509Certificate } from 'node:crypto';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  createAuthority,
  issueCertificate,
  listCertificates,
} from '../../../src/local/authority/authority.ts';
import { runCli } from '../../../src/cli/program.ts';
import { testCli } from '../cli/support.ts';

const CLIENT = '1.3.6.1.5.5.7.3.2';
const SERVER = '1.3.6.1.5.5.7.3.1';
let home: string;
let folder: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'davit-ca-'));
  folder = join(home, 'ca');
});
afterEach(() => rm(home, { recursive: true, force: true }));
const certificateAt = async (name: string): Promise<X509Certificate> =>
  new X509Certificate(await readFile(join(folder, `${name}.crt`)));

test('the authority is made once; its key is private, and it signs certificates for names and addresses', async () => {
  const made = await createAuthority(folder, 'davit, of "the" workshop');
  expect((await stat(join(folder, 'ca.key'))).mode & 0o777).toBe(0o600);
  await expect(createAuthority(folder, 'again')).rejects.toMatchObject({ code: 'ca/exists' });
  const authority = await certificateAt('ca');
  expect(authority.ca).toBe(true);
  expect(authority.fingerprint256).toBe(made.fingerprint);

  const issued = await issueCertificate(folder, {
    name: 'server',
    kind: 'server',
    hosts: ['ci.example.com', '10.1.2.3'],
    days: 30,
  });
  const certificate = await certificateAt('server');
  expect(certificate.verify(authority.publicKey)).toBe(true);
  expect(certificate.checkIssued(authority)).toBe(true);
  expect(certificate.ca).toBe(false);
  for (const host of ['ci.example.com', 'localhost']) expect(certificate.checkHost(host)).toBe(host);
  for (const ip of ['10.1.2.3', '127.0.0.1', '::1']) expect(certificate.checkIP(ip)).toBe(ip);
  expect(certificate.checkHost('other.example.com')).toBeUndefined();
  expect(certificate.keyUsage).toEqual([SERVER, CLIENT]);
  expect(issued.validTo.getTime() - Date.now()).toBeLessThan(31 * 86_400_000);
  expect((await stat(join(folder, 'server.key'))).mode & 0o777).toBe(0o600);
  expect((await listCertificates(folder)).map(({ name }) => name)).toEqual(['ca', 'server']);
});

test('a worker gets a certificate for clients alone, a registry one for servers alone', async () => {
  await createAuthority(folder, 'davit');
  await issueCertificate(folder, { name: 'board', kind: 'worker', hosts: [], days: 30 });
  await issueCertificate(folder, { name: 'images', kind: 'registry', hosts: ['images.lan'], days: 30 });
  expect((await certificateAt('board')).keyUsage).toEqual([CLIENT]);
  expect((await certificateAt('board')).checkHost('localhost')).toBeUndefined();
  expect((await certificateAt('images')).keyUsage).toEqual([SERVER]);
});

test('a renewed certificate keeps its key; one that is fine stays, one for other hosts does not', async () => {
  await createAuthority(folder, 'davit');
  const request = { name: 'server', kind: 'server', hosts: ['a.lan'], days: 60, keepDays: 30 } as const;
  const [first, key] = [await issueCertificate(folder, request), await readFile(join(folder, 'server.key'))];
  const kept = await issueCertificate(folder, request);
  expect([first.issued, kept.issued]).toEqual([true, false]);
  expect(kept.fingerprint).toBe(first.fingerprint);
  const other = await issueCertificate(folder, { ...request, hosts: ['a.lan', 'b.lan'] });
  const early = await issueCertificate(folder, { ...request, hosts: ['a.lan', 'b.lan'], keepDays: 90 });
  expect([other.issued, early.issued]).toEqual([true, true]);
  expect(await readFile(join(folder, 'server.key'))).toEqual(key);
  const certificate = await certificateAt('server');
  expect(certificate.checkPrivateKey((await import('node:crypto')).createPrivateKey(key))).toBe(true);
});

test('a certificate of a former authority is replaced, and none outlives its authority', async () => {
  await createAuthority(folder, 'davit');
  const request = { name: 'server', kind: 'server', hosts: [], days: 60, keepDays: 1 } as const;
  await issueCertificate(folder, request);
  await rm(join(folder, 'ca.key'));
  await createAuthority(folder, 'davit, the second');
  expect((await issueCertificate(folder, request)).issued).toBe(true);
  const long = await issueCertificate(folder, { ...request, days: 36_500 });
  expect(long.issued).toBe(false);
  const longer = await issueCertificate(folder, { name: 'long', kind: 'server', hosts: [], days: 36_500 });
  expect(longer.validTo.getTime()).toBeLessThanOrEqual(
    new Date((await certificateAt('ca')).validTo).getTime(),
  );
});

test('names of files are names, and without an authority there is nothing to issue', async () => {
  const request = { kind: 'server', hosts: [], days: 1 } as const;
  for (const name of ['../x', 'ca', '', '.x'])
    await expect(issueCertificate(folder, { name, ...request })).rejects.toMatchObject({
      code: 'usage/invalid',
    });
  await expect(issueCertificate(folder, { name: 'x', ...request })).rejects.toMatchObject({
    code: 'ca/missing',
  });
  await expect(listCertificates(folder)).rejects.toMatchObject({ code: 'ca/missing' });
});

test('the command creates, issues and shows', async () => {
  const run = async (...args: string[]) => {
    const { cli, written } = testCli(home);
    const exit = await runCli(cli, ['ca', ...args]);
    return { exit, ...written };
  };
  expect((await run('show')).err).toContain('davit ca init');
  expect((await run('init')).out).toContain('fingerprint');
  expect((await run('init')).exit).toBe(2);
  expect((await run('init', '--if-missing')).exit).toBe(0);
  expect((await run('issue', 'server')).exit).toBe(2);
  const { exit, out } = await run('issue', 'server', '--for', 'server', '--host', 'a.lan', '--host', 'b.lan');
  expect(exit).toBe(0);
  expect(out).toMatch(/DNS:a\.lan, DNS:b\.lan/);
  expect((await run('show')).out).toMatch(/^ca {2}.*\n.*\n.*fingerprint.*\nserver {2}/);
});
