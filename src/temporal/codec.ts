/**
 * Role: seals what davit gives to Temporal (inputs, results, signals, heartbeats) with a key of the installation, so
 * that Temporal's database and UI hold nothing readable.
 * Not its role: search attributes, names of workflows, messages of failures. They stay readable.
 *
 * Invariants:
 * CODEC-1 AES-256-GCM with a random nonce for each payload: what was changed or cut does not open.
 * CODEC-2 A sealed payload names its key; the first key of the file seals, every key of it opens. What is not
 *         sealed is passed on, so a codec can be turned on and off while pipelines run.
 */
import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import type { Payload, PayloadCodec } from '@temporalio/common';
import proto from '@temporalio/proto';
import { DavitError } from '../errors.ts';

const { Payload: PayloadMessage } = proto.temporal.api.common.v1;
const ENCODING = 'binary/encrypted';
const CIPHER = 'aes-256-gcm';
const NONCE = 12;
const TAG = 16;
/** A first line that seals nothing: keys below it still open what they have sealed. */
const OFF = 'none';

interface Key {
  id: string;
  bytes: Buffer;
}
export interface PayloadKeys {
  /** Absent: nothing is sealed. */
  seals?: Key;
  opens: ReadonlyMap<string, Key>;
}

/** Lines of 64 hexadecimal digits. Throws `temporal/payload-key`; the message never repeats a line. */
export function parsePayloadKeys(text: string, file: string): PayloadKeys {
  const lines = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  const keys = lines.filter((line, index) => !(index === 0 && line === OFF)).map(keyOf);
  if (lines.length === 0 || keys.includes(undefined))
    throw new DavitError('temporal/payload-key', `${file} is not a list of keys of 64 hexadecimal digits.`);
  const known = keys.filter((key) => key !== undefined);
  const [first] = known;
  return {
    ...(lines[0] !== OFF && first && { seals: first }),
    opens: new Map(known.map((key) => [key.id, key])),
  };
}

function keyOf(line: string): Key | undefined {
  if (!/^[0-9a-f]{64}$/i.test(line)) return undefined;
  const bytes = Buffer.from(line, 'hex');
  // A hash that is not that of the key alone: the id says nothing about another use of the same key.
  const id = createHash('sha256').update('davit payload key\0').update(bytes).digest('hex').slice(0, 16);
  return { id, bytes };
}

export const payloadCodec = (keys: PayloadKeys): PayloadCodec => ({
  encode: async (payloads) => payloads.map((payload) => seal(keys, payload)),
  decode: async (payloads) => payloads.map((payload) => open(keys, payload)),
});

function seal({ seals }: PayloadKeys, payload: Payload): Payload {
  if (!seals || isSealed(payload)) return payload;
  const nonce = randomBytes(NONCE);
  const cipher = createCipheriv(CIPHER, seals.bytes, nonce);
  const plain = PayloadMessage.encode(PayloadMessage.create(payload)).finish();
  const sealed = Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
  return { metadata: { encoding: bytes(ENCODING), 'encryption-key-id': bytes(seals.id) }, data: sealed };
}

function open({ opens }: PayloadKeys, payload: Payload): Payload {
  if (!isSealed(payload)) return payload;
  const id = text(payload.metadata?.['encryption-key-id']);
  const key = opens.get(id);
  if (!key)
    throw new DavitError(
      'temporal/payload-key',
      'A payload in Temporal is sealed with a key that is not here.',
    );
  const data = Buffer.from(payload.data ?? []);
  try {
    const decipher = createDecipheriv(CIPHER, key.bytes, data.subarray(0, NONCE), { authTagLength: TAG });
    decipher.setAuthTag(data.subarray(-TAG));
    const plain = Buffer.concat([decipher.update(data.subarray(NONCE, -TAG)), decipher.final()]);
    const { metadata, data: opened } = PayloadMessage.decode(plain);
    return { metadata, data: opened };
  } catch (cause) {
    throw new DavitError(
      'temporal/payload-key',
      'A sealed payload in Temporal was changed, or is incomplete.',
      {
        cause,
      },
    );
  }
}

const isSealed = ({ metadata }: Payload): boolean => text(metadata?.encoding) === ENCODING;
const bytes = (value: string): Uint8Array => Buffer.from(value, 'utf8');
const text = (value: Uint8Array | null | undefined): string => Buffer.from(value ?? []).toString('utf8');
