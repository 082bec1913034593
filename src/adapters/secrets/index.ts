/**
 * Secrets by reference, resolved at the moment of use on the machine that needs them, and the seal for values
 * that are kept in the store. Nothing here caches a value, logs one, or puts one into an error.
 */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { DavitError } from '../../errors.ts';
import type { SecretRef } from '../../plan/model/spec.ts';
import type { Secrets } from '../ports.ts';

const VERSION = 1;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const MAX_SECRET_BYTES = 64 * 1024;

export interface SecretsOptions {
  /** 32 bytes, from `deriveSealKey`. */
  sealKey: Buffer;
  /** `env:` references; the process's own environment is read in src/config.ts only. */
  readEnv: (name: string) => string | undefined;
}

/**
 * HKDF-SHA256 (RFC 5869) over the worker token: every worker of an installation can open what another has
 * sealed.
 */
export const deriveSealKey = (workerToken: string): Buffer =>
  Buffer.from(hkdfSync('sha256', workerToken, 'davit', 'davit seal v1', 32));

/** For the command line, which seals nothing. */
export const readingSecrets = (readEnv: SecretsOptions['readEnv']): Pick<Secrets, 'resolve'> => ({
  resolve: (ref) => resolveRef(ref, readEnv),
});

export function localSecrets(options: SecretsOptions): Secrets {
  return {
    resolve: (ref) => resolveRef(ref, options.readEnv),
    seal: (plain) => seal(options.sealKey, plain),
    unseal: (sealed) => unseal(options.sealKey, sealed),
  };
}

async function resolveRef(ref: SecretRef, readEnv: SecretsOptions['readEnv']): Promise<string> {
  if (ref.startsWith('env:')) {
    const value = readEnv(ref.slice(4));
    if (value === undefined || value === '')
      throw new DavitError('secret/missing', `The secret ${ref} is not set in this process's environment.`);
    return value;
  }
  return readSecretFile(ref, ref.slice('file:'.length));
}

async function readSecretFile(ref: SecretRef, path: string): Promise<string> {
  let text: string;
  try {
    const found = await stat(path);
    if (!found.isFile() || found.size > MAX_SECRET_BYTES)
      throw new DavitError('secret/missing', `The secret ${ref} is not a file of at most 64 KiB.`);
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof DavitError) throw error;
    throw new DavitError('secret/missing', `The secret ${ref} cannot be read on this machine.`, {
      cause: error,
    });
  }
  // A trailing newline of an editor is not part of a token; everything else in the file is.
  const value = text.replace(/\r?\n$/, '');
  if (value === '') throw new DavitError('secret/missing', `The secret ${ref} is empty.`);
  return value;
}

/** version(1) nonce(12) ciphertext tag(16); the version byte is authenticated with the rest. */
function seal(key: Buffer, plain: Uint8Array): Uint8Array {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  cipher.setAAD(Buffer.of(VERSION));
  const body = Buffer.concat([cipher.update(plain), cipher.final()]);
  return Buffer.concat([Buffer.of(VERSION), nonce, body, cipher.getAuthTag()]);
}

function unseal(key: Buffer, sealed: Uint8Array): Uint8Array {
  const bytes = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.byteLength);
  if (bytes.length < 1 + NONCE_BYTES + TAG_BYTES || bytes[0] !== VERSION)
    throw new DavitError('secret/corrupt', 'The sealed value has an unknown format.');
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(1, 1 + NONCE_BYTES));
  decipher.setAAD(Buffer.of(VERSION));
  decipher.setAuthTag(bytes.subarray(bytes.length - TAG_BYTES));
  try {
    const body = bytes.subarray(1 + NONCE_BYTES, bytes.length - TAG_BYTES);
    return Buffer.concat([decipher.update(body), decipher.final()]);
  } catch (error) {
    throw new DavitError('secret/corrupt', 'The sealed value cannot be opened with this key.', {
      cause: error,
    });
  }
}
