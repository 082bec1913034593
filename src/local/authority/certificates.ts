/** Makes the certificates of davit's own authority: ECDSA on P-256, SHA-256. No files. */
import 'reflect-metadata';
import { randomBytes, webcrypto } from 'node:crypto';
import { isIP } from 'node:net';
import * as x509 from '@peculiar/x509';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const DAY_MS = 86_400_000;
/** Clocks of machines differ. */
const BACKDATED_MS = 3_600_000;
const { BasicConstraintsExtension, ExtendedKeyUsage, KeyUsageFlags } = x509;

/** What a certificate is for: TLS of a server, TLS of a client, or both. */
export type CertificateUse = 'server' | 'client' | 'both';
export interface KeyAndCertificate {
  /** PEM, PKCS #8. */
  key: string;
  /** PEM. */
  certificate: string;
}

export async function makeAuthority(name: string, days: number): Promise<KeyAndCertificate> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      ...validity(days),
      serialNumber: serial(),
      name: [{ CN: [name] }],
      keys,
      signingAlgorithm: ALGORITHM,
      extensions: [
        new BasicConstraintsExtension(true, 0, true),
        new x509.KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey, false, webcrypto),
      ],
    },
    webcrypto,
  );
  return { key: await pemOf(keys.privateKey), certificate: certificate.toString('pem') };
}

/**
 * The form in which a registry wants to be told a public key. Nobody connects by it, so it has no names and no end
 * (RFC 5280, 4.1.2.5).
 */
export async function makeSelfSigned(name: string): Promise<KeyAndCertificate> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      notBefore: new Date('2020-01-01T00:00:00Z'),
      notAfter: new Date('9999-12-31T23:59:59Z'),
      serialNumber: serial(),
      name: [{ CN: [name] }],
      keys,
      signingAlgorithm: ALGORITHM,
    },
    webcrypto,
  );
  return { key: await pemOf(keys.privateKey), certificate: `${certificate.toString('pem')}\n` };
}

export interface CertificateRequest {
  name: string;
  /** DNS names and addresses. */
  hosts: readonly string[];
  use: CertificateUse;
  days: number;
  /** PEM of the key to use; absent: a new one. */
  key?: string;
}

export async function makeCertificate(
  authority: KeyAndCertificate,
  request: CertificateRequest,
): Promise<KeyAndCertificate> {
  const issuer = new x509.X509Certificate(authority.certificate);
  const keys = await keysOf(request.key);
  const ends = validity(request.days);
  const certificate = await x509.X509CertificateGenerator.create(
    {
      ...ends,
      // It is worth nothing once its authority has ended.
      notAfter: new Date(Math.min(ends.notAfter.getTime(), issuer.notAfter.getTime())),
      serialNumber: serial(),
      subject: [{ CN: [request.name] }],
      issuer: issuer.subjectName.toJSON(),
      publicKey: keys.publicKey,
      signingKey: await privateKey(authority.key),
      signingAlgorithm: ALGORITHM,
      extensions: [
        new BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension(uses(request.use)),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey, false, webcrypto),
        await x509.AuthorityKeyIdentifierExtension.create(issuer, false, webcrypto),
        new x509.SubjectAlternativeNameExtension(
          [...new Set([...request.hosts, ...(request.hosts.length === 0 ? [request.name] : [])])].map(
            (host) =>
              isIP(host) ? ({ type: 'ip', value: host } as const) : ({ type: 'dns', value: host } as const),
          ),
        ),
      ],
    },
    webcrypto,
  );
  return { key: await pemOf(keys.privateKey), certificate: certificate.toString('pem') };
}

function uses(use: CertificateUse): x509.ExtendedKeyUsage[] {
  return [
    ...(use === 'client' ? [] : [ExtendedKeyUsage.serverAuth]),
    ...(use === 'server' ? [] : [ExtendedKeyUsage.clientAuth]),
  ];
}

function validity(days: number): { notBefore: Date; notAfter: Date } {
  const now = Date.now();
  return { notBefore: new Date(now - BACKDATED_MS), notAfter: new Date(now + days * DAY_MS) };
}

/** RFC 5280: positive, at most 20 bytes. */
function serial(): string {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytes.toString('hex');
}

type Keys = Pick<webcrypto.CryptoKeyPair, 'publicKey' | 'privateKey'>;

async function keysOf(pem: string | undefined): Promise<Keys> {
  if (pem === undefined) return webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const key = await privateKey(pem);
  const { kty, crv, x, y } = await webcrypto.subtle.exportKey('jwk', key);
  const publicKey = await webcrypto.subtle.importKey('jwk', { kty, crv, x, y }, ALGORITHM, true, ['verify']);
  return { privateKey: key, publicKey };
}

const privateKey = (pem: string): Promise<webcrypto.CryptoKey> =>
  webcrypto.subtle.importKey('pkcs8', x509.PemConverter.decodeFirst(pem), ALGORITHM, true, ['sign']);

const pemOf = async (key: webcrypto.CryptoKey): Promise<string> =>
  `${x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY')}\n`;
