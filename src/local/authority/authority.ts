/**
 * davit's own certificate authority, in `HOME/ca`: `ca.crt` is for everybody, `ca.key` stays here. Certificates
 * that it issues are `NAME.crt` and `NAME.key`.
 */
import { X509Certificate } from 'node:crypto';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { DavitError } from '../../errors.ts';
import { readIfThere, replaceFile } from '../process/files.ts';
import type { CertificateUse } from './certificates.ts';

const AUTHORITY_DAYS = 3_650;
const PRIVATE_FOLDER = 0o700;
const PRIVATE_FILE = 0o600;
const PUBLIC_FILE = 0o644;
const DAY_MS = 86_400_000;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
/** Every server is reached from its own machine too. */
const OWN_HOSTS = ['localhost', '127.0.0.1', '::1'];

export const CERTIFICATE_KINDS = ['server', 'registry', 'worker', 'temporal'] as const;
export type CertificateKind = (typeof CERTIFICATE_KINDS)[number];
/** Parts of Temporal call each other, and a worker calls Temporal. */
const USES: Readonly<Record<CertificateKind, CertificateUse>> = {
  server: 'both',
  registry: 'server',
  worker: 'client',
  temporal: 'both',
};

export const authorityFolder = ({ home }: { home: string }): string => join(home, 'ca');

export interface CertificateFacts {
  name: string;
  file: string;
  /** The SHA-256 as OpenSSL and browsers show it. */
  fingerprint: string;
  validTo: Date;
  /** Subject alternative names. */
  hosts?: string;
}

/** Rejects with `ca/exists`. */
export async function createAuthority(folder: string, name: string): Promise<CertificateFacts> {
  if ((await readText(join(folder, 'ca.key'))) !== undefined)
    throw new DavitError('ca/exists', `There is an authority in ${folder} already.`);
  const { makeAuthority } = await import('./certificates.ts');
  const made = await makeAuthority(name, AUTHORITY_DAYS);
  await mkdir(folder, { recursive: true, mode: PRIVATE_FOLDER });
  // The key first: a certificate without it is not an authority, and the next call would refuse to make one.
  await replaceFile(join(folder, 'ca.key'), made.key, PRIVATE_FILE);
  await replaceFile(join(folder, 'ca.crt'), made.certificate, PUBLIC_FILE);
  return factsOf('ca', join(folder, 'ca.crt'), made.certificate);
}

export interface IssueRequest {
  name: string;
  kind: CertificateKind;
  hosts: readonly string[];
  days: number;
  /** Where the files go; the folder of the authority by default. */
  out?: string;
  /** A certificate for the same hosts that is valid for so many more days stays. */
  keepDays?: number;
  /** Mode of the key's file. */
  keyMode?: number;
}

/** Renewed certificates keep their key. Rejects with `ca/missing`, `usage/invalid`. */
export async function issueCertificate(
  folder: string,
  request: IssueRequest,
): Promise<CertificateFacts & { issued: boolean }> {
  const { name, kind, days, out = folder, keyMode = PRIVATE_FILE } = request;
  if (!NAME.test(name) || name === 'ca')
    throw new DavitError('usage/invalid', `"${name}" cannot be the name of a certificate's file.`);
  const authority = {
    key: await readText(join(folder, 'ca.key')),
    certificate: await readText(join(folder, 'ca.crt')),
  };
  const { key: authorityKey, certificate: authorityCertificate } = authority;
  if (authorityKey === undefined || authorityCertificate === undefined)
    throw new DavitError('ca/missing', `There is no authority in ${folder}.`);
  const hosts = USES[kind] === 'client' ? [...request.hosts] : [...request.hosts, ...OWN_HOSTS];
  const [certificateFile, keyFile] = [join(out, `${name}.crt`), join(out, `${name}.key`)];
  const [known, key] = [await readText(certificateFile), await readText(keyFile)];
  if (known !== undefined && key !== undefined && request.keepDays !== undefined)
    if (isFine(known, { authority: authorityCertificate, hosts, days: request.keepDays }))
      return { ...factsOf(name, certificateFile, known), issued: false };
  const { makeCertificate } = await import('./certificates.ts');
  const made = await makeCertificate(
    { key: authorityKey, certificate: authorityCertificate },
    { name, hosts, use: USES[kind], days, ...(key !== undefined && { key }) },
  );
  await mkdir(out, { recursive: true });
  await replaceFile(keyFile, made.key, keyMode);
  await replaceFile(certificateFile, made.certificate, PUBLIC_FILE);
  return { ...factsOf(name, certificateFile, made.certificate), issued: true };
}

/** The authority and what it has issued into its folder. Rejects with `ca/missing`. */
export async function listCertificates(folder: string): Promise<CertificateFacts[]> {
  const names = (await readdir(folder).catch(() => [])).filter((name) => name.endsWith('.crt'));
  if (!names.includes('ca.crt')) throw new DavitError('ca/missing', `There is no authority in ${folder}.`);
  const ordered = ['ca.crt', ...names.filter((name) => name !== 'ca.crt').toSorted()];
  return Promise.all(
    ordered.map(async (name) =>
      factsOf(name.slice(0, -'.crt'.length), join(folder, name), await readFile(join(folder, name), 'utf8')),
    ),
  );
}

function factsOf(name: string, file: string, pem: string): CertificateFacts {
  const certificate = new X509Certificate(pem);
  return {
    name,
    file,
    fingerprint: certificate.fingerprint256,
    validTo: new Date(certificate.validTo),
    ...(certificate.subjectAltName !== undefined && { hosts: certificate.subjectAltName }),
  };
}

function isFine(
  pem: string,
  { authority, hosts, days }: { authority: string; hosts: readonly string[]; days: number },
): boolean {
  const certificate = new X509Certificate(pem);
  if (!certificate.verify(new X509Certificate(authority).publicKey)) return false;
  if (new Date(certificate.validTo).getTime() < Date.now() + days * DAY_MS) return false;
  return hosts.every(
    (host) => (isIP(host) ? certificate.checkIP(host) : certificate.checkHost(host)) !== undefined,
  );
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return await readIfThere(path);
  } catch (cause) {
    throw new DavitError('tls/file', `${path} cannot be read.`, { cause });
  }
}
