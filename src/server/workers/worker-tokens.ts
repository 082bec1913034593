/**
 * Tokens of workers that the server has made (`davit worker token`), beside those of the installation file. A record
 * in the store keeps their hashes; this process is its only writer, so a revocation counts from the next request on.
 */
import { randomBytes } from 'node:crypto';
import type { RecordStore } from '../../adapters/ports.ts';
import { DavitError } from '../../errors.ts';
import type { WorkerScope } from '../../match/worker-scope.ts';
import { WORKER_TOKENS_RECORD } from '../../plan/model/records.ts';
import { sha256 } from '../../utils/sha256.ts';
import { tokenIdOf } from '../auth.ts';
import { OwnRecord } from './own-record.ts';

/** The name of the token that workers of earlier versions share. */
export const SHARED_TOKEN = 'shared';
const MAX_TOKENS = 1_000;

export interface WorkerToken extends WorkerScope {
  name: string;
  token_sha256: string;
  /** A control worker's: it runs workflows, and is trusted with every record. */
  control?: true;
  /** It counts until then, epoch ms; without, until it is revoked. */
  until?: number;
  /** Who made it, and when (epoch ms). */
  by: string;
  at: number;
}
interface Document {
  tokens: WorkerToken[];
  /** The shared token is refused since then. */
  sharedOff?: { by: string; at: number };
}
export interface WantedToken extends Omit<WorkerToken, 'token_sha256' | 'by' | 'at'> {}

export class WorkerTokens {
  readonly #record: OwnRecord<Document>;

  private constructor(record: OwnRecord<Document>) {
    this.#record = record;
  }

  static async open(records: RecordStore): Promise<WorkerTokens> {
    return new WorkerTokens(await OwnRecord.open<Document>(records, WORKER_TOKENS_RECORD, { tokens: [] }));
  }

  list(): readonly WorkerToken[] {
    return this.#record.value.tokens;
  }

  get sharedOff(): boolean {
    return this.#record.value.sharedOff !== undefined;
  }

  /** The token itself is returned once and kept nowhere. A name may have several, so that one replaces another. */
  async create(wanted: WantedToken, by: string): Promise<{ token: string; id: string }> {
    if (wanted.name === SHARED_TOKEN)
      throw new DavitError(
        'usage/invalid',
        `The name ${SHARED_TOKEN} is that of the token of earlier versions.`,
      );
    const token = randomBytes(32).toString('hex');
    const made: WorkerToken = { ...wanted, token_sha256: sha256(token), by, at: Date.now() };
    await this.#record.change(({ tokens, ...rest }) => {
      if (tokens.length >= MAX_TOKENS)
        throw new DavitError(
          'usage/invalid',
          `There are ${MAX_TOKENS} tokens of workers. Revoke some first.`,
        );
      return { ...rest, tokens: [...tokens, made] };
    });
    return { token, id: tokenIdOf(made.token_sha256) };
  }

  /** All tokens of a name, or the one with this id. Returns how many it were. */
  async revoke(name: string, id: string | undefined, by: string): Promise<number> {
    const goes = (one: WorkerToken): boolean =>
      one.name === name && (id === undefined || tokenIdOf(one.token_sha256) === id);
    const count = this.#record.value.tokens.filter(goes).length;
    if (name === SHARED_TOKEN) {
      await this.#record.change((document) => ({ ...document, sharedOff: { by, at: Date.now() } }));
      return 1;
    }
    if (count > 0)
      await this.#record.change(({ tokens, ...rest }) => ({
        ...rest,
        tokens: tokens.filter((one) => !goes(one)),
      }));
    return count;
  }
}
