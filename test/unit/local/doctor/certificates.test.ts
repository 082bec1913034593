import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readSettings } from '../../../../src/config.ts';
import { createAuthority, issueCertificate } from '../../../../src/local/authority/authority.ts';
import { checkCertificates } from '../../../../src/local/doctor/certificates.ts';

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'davit-certificates-'));
});
afterEach(() => rm(home, { recursive: true, force: true }));

const check = async (): Promise<string[]> => {
  const found = await checkCertificates(readSettings({ DAVIT_HOME: home }));
  return found.map(({ name, verdict }) => `${name}: ${verdict}`);
};

test('there is nothing to say without certificates', async () => {
  expect(await check()).toEqual([]);
});

test('a certificate that ends soon is a warning, one that cannot be read a failure', async () => {
  const ca = join(home, 'ca');
  await createAuthority(ca, 'davit');
  const server = (days: number) => issueCertificate(ca, { name: 'server', kind: 'server', hosts: [], days });
  await writeFile(join(home, 'davit.config.yml'), `tls: { cert: ${ca}/server.crt, key: ${ca}/server.key }\n`);
  const authority = 'authority of the installation: ok';
  expect(await check()).toEqual(['certificate of the server: fail', authority]);
  await server(10);
  expect(await check()).toEqual(['certificate of the server: warn', authority]);
  await server(90);
  expect(await check()).toEqual(['certificate of the server: ok', authority]);
});
