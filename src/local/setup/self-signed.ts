/**
 * A key of P-256 and a certificate that it has signed itself (RFC 5280): the form in which a registry wants to be told
 * a public key. Nobody connects by it, so it has no names and no end.
 */
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';

const TAG = {
  integer: 0x02,
  bits: 0x03,
  oid: 0x06,
  utf8: 0x0c,
  time: 0x18,
  sequence: 0x30,
  set: 0x31,
  version: 0xa0,
};
/** OIDs as DER. */
const OID = { ecdsaWithSha256: '2a8648ce3d040302', commonName: '550403' };
const SERIAL_BYTES = 16;
const NOT_BEFORE = '20200101000000Z';
/** RFC 5280, 4.1.2.5: no well-defined end. */
const NOT_AFTER = '99991231235959Z';

export function selfSigned(name: string): { key: string; certificate: string } {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const algorithm = der(TAG.sequence, oid(OID.ecdsaWithSha256));
  const named = der(
    TAG.sequence,
    der(TAG.set, der(TAG.sequence, oid(OID.commonName), der(TAG.utf8, Buffer.from(name)))),
  );
  const serial = randomBytes(SERIAL_BYTES);
  serial[0] = (serial[0] ?? 0) & 0x7f; // positive
  serial[1] = (serial[1] ?? 0) | 0x80; // as long as it is, if the first byte is zero
  const body = der(
    TAG.sequence,
    der(TAG.version, der(TAG.integer, Buffer.of(2))),
    der(TAG.integer, serial),
    algorithm,
    named,
    der(TAG.sequence, time(NOT_BEFORE), time(NOT_AFTER)),
    named,
    publicKey.export({ type: 'spki', format: 'der' }),
  );
  const signature = der(TAG.bits, Buffer.of(0), sign('sha256', body, privateKey));
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    certificate: pem(der(TAG.sequence, body, algorithm, signature)),
  };
}

const oid = (hex: string): Buffer => der(TAG.oid, Buffer.from(hex, 'hex'));
const time = (text: string): Buffer => der(TAG.time, Buffer.from(text));

/** One DER value of these contents. */
function der(tag: number, ...contents: readonly Buffer[]): Buffer {
  const content = Buffer.concat(contents);
  const { length } = content;
  const size =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.of(tag, ...size), content]);
}

const pem = (bytes: Buffer): string =>
  `-----BEGIN CERTIFICATE-----\n${(bytes.toString('base64').match(/.{1,64}/g) ?? []).join('\n')}\n-----END CERTIFICATE-----\n`;
