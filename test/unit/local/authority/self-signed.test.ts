import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { makeSelfSigned } from '../../../../src/local/authority/certificates.ts';
import { keyId, tokenSigner } from '../../../../src/server/registry/token-signer.ts';

test('openssl verifies the certificate, and the key is its own', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'davit-self-signed-'));
  try {
    for (let times = 0; times < 20; times += 1) {
      const { key, certificate } = await makeSelfSigned('davit registry');
      const file = join(folder, 'cert.pem');
      writeFileSync(file, certificate);
      expect(execFileSync('openssl', ['verify', '-CAfile', file, file], { encoding: 'utf8' })).toContain(
        'OK',
      );
      expect(new X509Certificate(certificate).subject).toBe('CN=davit registry');
      expect(() => tokenSigner(key + certificate)).not.toThrow();
      const other = await makeSelfSigned('other');
      expect(() => tokenSigner(other.key + certificate)).toThrow(/does not fit/);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("the id of a key is libtrust's: base32 of the first 30 bytes of its hash, in groups", () => {
  expect(keyId(new Uint8Array(0))).toBe('4OYM:IQUY:7QOB:JGX3:6TEJ:S35Z:EQT2:4QPE:MSNZ:GTFE:SWMR:W6CS');
});
