/**
 * Secrets by reference, resolved at the moment of use on the machine that needs them, and the seal for values
 * that are kept in the store. Nothing here caches a value, logs one, or puts one into an error.
 */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { DavitError } from '../../errors.ts';
import type { SecretRef } from '../../plan/model/spec.ts';
import type { KeyRing, Sealer, Secrets } from '../ports.ts';

/** Sealed by a worker of an earlier version, under a key that is derived from its token. */
const VERSION = 1;
/** Sealed by the server, under a key of the installation, for one attempt. */
const SERVER_VERSION = 2;
const KEY_ID_BYTES = 4;
const SEAL_PURPOSE = 'davit seal v2';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const MAX_SECRET_BYTES = 64 * 1024;

export interface SecretsOptions {
  /** 32 bytes, from `deriveSealKey`. */
  sealKey: Buffer;
  /** `env:` references; the process's own environment is read in src/config.ts only. */
  readEnv: (name: string) => string | undefined;
}

/** HKDF-SHA256 (RFC 5869) over the worker token: how versions without attempt tokens seal. */
export const deriveSealKey = (workerToken: string): Buffer =>
  Buffer.from(hkdfSync('sha256', workerToken, 'davit', 'davit seal v1', 32));

/** For the command line, which seals nothing. */
export const readingSecrets = (readEnv: SecretsOptions['readEnv']): Pick<Secrets, 'resolve'> => ({
  resolve: (ref) => resolveRef(ref, readEnv),
});

/** Resolves references, and seals as earlier versions do: for a server that does not seal. */
export function localSecrets(
  options: SecretsOptions,
): Pick<Secrets, 'resolve'> & Record<'seal' | 'unseal', (bytes: Uint8Array) => Uint8Array> {
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

/** Sealed by an earlier version of a worker: another worker of that version opens it by the same token. */
export const isSealedByWorker = (sealed: Uint8Array): boolean => sealed[0] === VERSION;

/**
 * The server's seal. `formerToken`: the shared worker token, which opens what workers of earlier versions have
 * sealed.
 */
export function serverSealer(keys: KeyRing, formerToken?: string): Sealer {
  const keyOf = (key: { derive(purpose: string): Buffer }): Buffer => key.derive(SEAL_PURPOSE);
  return {
    seal(scope, plain) {
      const key = keys.current();
      const head = Buffer.concat([Buffer.of(SERVER_VERSION), Buffer.from(key.id, 'hex')]);
      return encrypt({ key: keyOf(key), head, scope }, plain);
    },
    unseal(scope, sealed) {
      if (isSealedByWorker(sealed) && formerToken !== undefined)
        return unseal(deriveSealKey(formerToken), sealed);
      const head = Buffer.from(sealed).subarray(0, 1 + KEY_ID_BYTES);
      const key = head[0] === SERVER_VERSION ? keys.find(head.subarray(1).toString('hex')) : undefined;
      if (!key)
        throw new DavitError(
          'secret/corrupt',
          'The value was sealed with a key that the server does not have.',
        );
      return decrypt({ key: keyOf(key), head, scope }, sealed);
    },
  };
}

const seal = (key: Buffer, plain: Uint8Array): Uint8Array =>
  encrypt({ key, head: Buffer.of(VERSION), scope: '' }, plain);

function unseal(key: Buffer, sealed: Uint8Array): Uint8Array {
  if (sealed[0] !== VERSION)
    throw new DavitError('secret/corrupt', 'The sealed value has an unknown format.');
  return decrypt({ key, head: Buffer.of(VERSION), scope: '' }, sealed);
}

/** `head` and `scope` are authenticated with the rest; the scope is not in the bytes. */
interface Sealing {
  key: Buffer;
  head: Buffer;
  scope: string;
}
const aadOf = ({ head, scope }: Sealing): Buffer => Buffer.concat([head, Buffer.from(scope)]);

/** head nonce(12) ciphertext tag(16) */
function encrypt(sealing: Sealing, plain: Uint8Array): Uint8Array {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', sealing.key, nonce);
  cipher.setAAD(aadOf(sealing));
  const body = Buffer.concat([cipher.update(plain), cipher.final()]);
  return Buffer.concat([sealing.head, nonce, body, cipher.getAuthTag()]);
}

function decrypt(sealing: Sealing, sealed: Uint8Array): Uint8Array {
  const bytes = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.byteLength);
  const from = sealing.head.length;
  if (bytes.length < from + NONCE_BYTES + TAG_BYTES)
    throw new DavitError('secret/corrupt', 'The sealed value has an unknown format.');
  const decipher = createDecipheriv('aes-256-gcm', sealing.key, bytes.subarray(from, from + NONCE_BYTES));
  decipher.setAAD(aadOf(sealing));
  decipher.setAuthTag(bytes.subarray(bytes.length - TAG_BYTES));
  try {
    const body = bytes.subarray(from + NONCE_BYTES, bytes.length - TAG_BYTES);
    return Buffer.concat([decipher.update(body), decipher.final()]);
  } catch (error) {
    throw new DavitError('secret/corrupt', 'The sealed value cannot be opened with this key.', {
      cause: error,
    });
  }
}
