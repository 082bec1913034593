/**
 * Proofs of messages that decide something. The server signs with a key that it derives from the installation's; control
 * workers verify with the public key, so that none of them can approve anything.
 */
import { createPrivateKey, createPublicKey, sign, verify, type KeyObject } from 'node:crypto';
import { signedText, type Message } from '../../plan/model/message.ts';
import type { Proof, ProofFacts } from '../../plan/model/proof.ts';
import type { InstallationKey, KeyRing } from '../ports.ts';

const PURPOSE = 'davit decision v1';
/** PKCS #8 of an Ed25519 key, up to its 32 bytes (RFC 8410). */
const PKCS8_HEAD = Buffer.from('302e020100300506032b657004220420', 'hex');

const privateKeyOf = (key: InstallationKey): KeyObject =>
  createPrivateKey({ key: Buffer.concat([PKCS8_HEAD, key.derive(PURPOSE)]), format: 'der', type: 'pkcs8' });

/** A decision names the state that it is about before it is signed. */
export function signMessage(keys: KeyRing, message: Message): Proof {
  const key = keys.current();
  const signature = sign(null, Buffer.from(signedText(message)), privateKeyOf(key)).toString('base64url');
  return { key: key.id, signature };
}

export function publicKeys(keys: KeyRing): ProofFacts['keys'] {
  const pairs = keys.all().map((key): [string, string] => {
    const spki = createPublicKey(privateKeyOf(key)).export({ format: 'der', type: 'spki' });
    return [key.id, spki.toString('base64')];
  });
  return Object.fromEntries(pairs);
}

/** False too for a key that cannot be read. */
export function isSignedBy(spki: string, message: Message, { signature }: Proof): boolean {
  try {
    const key = createPublicKey({ key: Buffer.from(spki, 'base64'), format: 'der', type: 'spki' });
    return verify(null, Buffer.from(signedText(message)), key, Buffer.from(signature, 'base64url'));
  } catch {
    return false; // not an Ed25519 key, or not a signature
  }
}
