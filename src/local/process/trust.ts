/**
 * The authority of the installation, which every connection of this process trusts in addition to the well-known
 * ones: DAVIT_CA_FILE, else that of davit in its home.
 */
import { readFileSync } from 'node:fs';
import { authorityFile } from '../../adapters/http/server-authority.ts';
import type { Settings } from '../../config.ts';
import { DavitError } from '../../errors.ts';

/** Before the first connection. Throws `tls/file`. */
export function trustAuthority(settings: Pick<Settings, 'caFile' | 'home'>): void {
  const file = authorityFile(settings);
  if (file === undefined) return;
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new DavitError('tls/file', `${file} cannot be read.`, { cause });
  }
  if (!text.includes('-----BEGIN CERTIFICATE-----'))
    throw new DavitError('tls/file', `${file} contains no certificate.`);
  // Loaded on demand: most commands need it for nothing else.
  const tls = process.getBuiltinModule('node:tls');
  tls.setDefaultCACertificates([...tls.getCACertificates('default'), text]);
}
