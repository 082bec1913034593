/**
 * Signs the tokens that a registry believes: JWTs as distribution/distribution reads them ("Token Authentication
 * Implementation"), ES256. The header names the key in both ways that its versions know: `kid` as libtrust writes it
 * (2.x), and `x5c`, the certificate that the registry has been given (2.x and 3.x).
 */
import { createHash, createPrivateKey, randomUUID, sign, X509Certificate } from 'node:crypto';
import { DavitError } from '../../errors.ts';
import { TOKEN_ISSUER, TOKEN_SERVICE } from './token-path.ts';

export interface AccessEntry {
  type: string;
  name: string;
  actions: readonly string[];
}
export interface SignedAccess {
  token: string;
  expiresInS: number;
  issuedAt: Date;
}
export interface TokenSigner {
  sign(subject: string, access: readonly AccessEntry[], now?: number): SignedAccess;
}

/** A client renews it by itself, also in the middle of an upload. */
const LIFE_S = 300;
const CLOCKS_DIFFER_S = 30;

/** `pem`: a key and its certificate. Throws `installation/invalid` where they are not. */
export function tokenSigner(pem: string): TokenSigner {
  const key = createPrivateKey(pem);
  const certificate = new X509Certificate(pem);
  if (!certificate.checkPrivateKey(key) || key.asymmetricKeyType !== 'ec')
    throw new DavitError(
      'installation/invalid',
      'The key for tokens of the registry does not fit its certificate.',
      {
        hint: 'Remove the file that has both, and start davit again.',
      },
    );
  const spki = certificate.publicKey.export({ type: 'spki', format: 'der' });
  const header = part({
    typ: 'JWT',
    alg: 'ES256',
    kid: keyId(spki),
    x5c: [certificate.raw.toString('base64')],
  });
  return {
    sign(subject, access, now = Date.now()) {
      const seconds = Math.floor(now / 1000);
      const claims = part({
        iss: TOKEN_ISSUER,
        sub: subject,
        aud: TOKEN_SERVICE,
        exp: seconds + LIFE_S,
        nbf: seconds - CLOCKS_DIFFER_S,
        iat: seconds,
        jti: randomUUID(),
        access,
      });
      const signed = `${header}.${claims}`;
      const signature = sign('sha256', Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363' });
      return {
        token: `${signed}.${signature.toString('base64url')}`,
        expiresInS: LIFE_S,
        issuedAt: new Date(seconds * 1000),
      };
    },
  };
}

const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
const KEY_ID_BYTES = 30;

/** libtrust: the first 240 bits of the SHA-256 of the public key, in base32, in groups of four. */
export function keyId(spki: Uint8Array): string {
  const hash = createHash('sha256').update(spki).digest().subarray(0, KEY_ID_BYTES);
  const bits = [...hash].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  const text = (bits.match(/.{5}/g) ?? []).map((five) => BASE32[Number.parseInt(five, 2)]).join('');
  return (text.match(/.{4}/g) ?? []).join(':');
}
