/**
 * Sessions of people in a browser. The cookie holds no token: it says by a keyed hash whose token was shown, and until
 * when it counts, signed with a key of the installation. So a restart ends no session, and no key leaves the server.
 *
 * SESSION-1 A session ends with the token that began it: a user who is removed, or gets another token, is logged out.
 * SESSION-2 The role is the one that the user has now.
 * SESSION-3 A session whose user has logged out does not count again, also after a restart.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { InstallationKey, KeyRing, RecordStore } from '../../adapters/ports.ts';
import { ENDED_SESSIONS_RECORD, type EndedSessions } from '../../plan/model/records.ts';
import { sha256Bytes } from '../../utils/sha256.ts';
import type { Tokens, User } from '../auth.ts';

export const SESSION_MS = 7 * 24 * 60 * 60_000;
const PURPOSE = 'davit page session v1';
const VERSION = 'v1';
const HOLDER_BYTES = 16;
const ID_BYTES = 9;
const MAX_CHARS = 512;
/** Logged out and not over yet; the oldest is forgotten first. */
const MAX_ENDED = 1_000;

export interface Sessions {
  /** The value of a cookie for the user of the token; undefined for an unknown token. */
  begin(token: string): { value: string; user: User } | undefined;
  /** Undefined: not a session, or one that is over. */
  user(value: string): User | undefined;
  /** Durable when it resolves. */
  end(value: string): Promise<void>;
}

interface SessionDeps {
  keys: KeyRing;
  tokens: Pick<Tokens, 'user' | 'find'>;
  records: Pick<RecordStore, 'get' | 'put'>;
}

export async function openSessions(
  { keys, tokens, records }: SessionDeps,
  now: () => number = Date.now,
): Promise<Sessions> {
  const ended = new Map((await records.get<EndedSessions>(ENDED_SESSIONS_RECORD))?.ended);
  let written: Promise<void> = Promise.resolve();
  const read = (
    value: string,
  ): { key: InstallationKey; holder: Buffer; until: number; id: string } | undefined => {
    if (value.length > MAX_CHARS) return undefined;
    const [version, keyId = '', id = '', until = '', holder = '', mac = '', ...more] = value.split('.');
    const key = version === VERSION && more.length === 0 ? keys.find(keyId) : undefined;
    if (!key || !/^\d{1,15}$/.test(until)) return undefined;
    if (!isSame(Buffer.from(mac, 'base64url'), macOf(key, value.slice(0, -mac.length - 1)))) return undefined;
    return { key, holder: Buffer.from(holder, 'base64url'), until: Number(until), id };
  };
  return {
    begin(token) {
      const user = tokens.user(token);
      if (!user) return undefined;
      const key = keys.current();
      const id = randomBytes(ID_BYTES).toString('base64url');
      const holder = holderOf(key, sha256Bytes(token)).toString('base64url');
      const body = [VERSION, key.id, id, now() + SESSION_MS, holder].join('.');
      return { user, value: `${body}.${macOf(key, body).toString('base64url')}` };
    },
    user(value) {
      const session = read(value);
      if (!session || session.until <= now() || ended.has(session.id)) return undefined;
      return tokens.find((hash) => isSame(session.holder, holderOf(session.key, hash)));
    },
    async end(value) {
      const session = read(value);
      if (!session || session.until <= now()) return;
      ended.set(session.id, session.until);
      for (const [id, until] of ended) if (until <= now() || ended.size > MAX_ENDED) ended.delete(id);
      const put = () => records.put<EndedSessions>(ENDED_SESSIONS_RECORD, { ended: [...ended] });
      // One after the other, so that the last one written has them all; each caller has its own failure.
      written = written.then(put, put);
      await written;
    },
  };
}

const isSame = (one: Buffer, other: Buffer): boolean =>
  one.length === other.length && timingSafeEqual(one, other);

const keyed = (key: InstallationKey, text: string | Buffer, use: string): Buffer =>
  createHmac('sha256', key.derive(PURPOSE)).update(`${use}:`).update(text).digest();
const macOf = (key: InstallationKey, body: string): Buffer => keyed(key, body, 'session');
const holderOf = (key: InstallationKey, tokenSha256: Buffer): Buffer =>
  keyed(key, tokenSha256, 'holder').subarray(0, HOLDER_BYTES);
