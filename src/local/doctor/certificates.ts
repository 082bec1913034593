/** Checks when certificates of this installation end. */
import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Settings } from '../../config.ts';
import { authorityFile } from '../../adapters/http/server-authority.ts';
import { authorityFolder } from '../authority/authority.ts';
import { readInstallation } from '../setup/installation.ts';
import { readSharedRegistry } from '../setup/shared-registry.ts';
import { fail, finding, ok, warn, type Finding } from './check.ts';

const SOON_DAYS = 30;
const DAY_MS = 86_400_000;

/** Nothing where there are none. Never rejects. */
export async function checkCertificates(settings: Settings): Promise<Finding[]> {
  return finding('certificates', async () => {
    const { installation } = await readInstallation(settings);
    const named: [string, string | undefined][] = [
      ['certificate of the server', installation.tls?.cert],
      ['certificate for Temporal', settings.temporalTls?.cert],
      ['certificate of the registry', await registryCertificate(settings)],
      ['authority of the installation', authorityFile(settings)],
    ];
    return Promise.all(
      named.flatMap(([name, file]) =>
        file === undefined ? [] : [certificateFinding(name, file, Date.now())],
      ),
    );
  });
}

/** `davit up` renews it when it starts. */
const registryCertificate = async (settings: Settings): Promise<string | undefined> =>
  (await readSharedRegistry(settings)) && join(authorityFolder(settings), 'registry.crt');

async function certificateFinding(name: string, file: string, now: number): Promise<Finding> {
  let ends: Date;
  try {
    ends = new Date(new X509Certificate(await readFile(file)).validTo);
  } catch {
    return fail(name, `${file} cannot be read, or is not a certificate.`, 'Check the file and its owner.');
  }
  const day = ends.toISOString().slice(0, 10);
  const days = (ends.getTime() - now) / DAY_MS;
  const remedy =
    'Renew it; one of davit: davit ca issue, with the options of the first time (davit ca show).';
  if (days <= 0) return fail(name, `${file} has ended on ${day}.`, remedy);
  return days < SOON_DAYS ? warn(name, `${file} ends on ${day}.`, remedy) : ok(name, `${file}, until ${day}`);
}
