/**
 * The token of one attempt, on its worker: asked for before it is needed, renewed before it ends, and asked for again
 * when the server refuses it.
 *
 * ATOKEN-1 While the present token is valid, a failure to renew it fails nothing.
 * ATOKEN-2 A server of an earlier version has no such tokens: then the worker's own one is used, for a while.
 */
import { DavitError } from '../../errors.ts';
import type { AttemptOf } from '../ports.ts';
import type { StoreClient } from './client.ts';
import type { TokenSource } from './token-source.ts';
import { attemptAnswer } from './wire.ts';

/** How long the worker's own token is used before it asks again. */
const OLDER_SERVER_MS = 30_000;

interface Known {
  token: string;
  /** On this process's monotonic clock. */
  renewAt: number;
  endsAt: number;
  /** It is the worker's own. */
  own: boolean;
}

export class AttemptToken implements TokenSource {
  readonly #worker: StoreClient;
  readonly #of: AttemptOf;
  readonly #own: TokenSource;
  #known: Known | undefined;
  #asking: Promise<Known> | undefined;

  /** `worker` calls the server with the worker's own token, which `own` is. */
  constructor(worker: StoreClient, own: TokenSource, of: AttemptOf) {
    this.#worker = worker;
    this.#own = own;
    this.#of = of;
  }

  async get(): Promise<string> {
    return (await this.#current()).token;
  }

  /** False: the server is of an earlier version, and seals nothing. */
  async isMinted(): Promise<boolean> {
    return !(await this.#current()).own;
  }

  async refused(token: string): Promise<boolean> {
    if (this.#known?.token === token) this.#known = undefined;
    return (await this.get()) !== token;
  }

  async #current(): Promise<Known> {
    const known = this.#known;
    const now = performance.now();
    if (known && now < known.renewAt) return known;
    try {
      return await this.#ask();
    } catch (error) {
      if (known && now < known.endsAt) return known;
      throw error;
    }
  }

  #ask(): Promise<Known> {
    this.#asking ??= this.#mint().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  async #mint(): Promise<Known> {
    const { ref, activityId: activity, runId: run, identity } = this.#of;
    const { pipeline, job, attempt, epoch } = ref;
    const former = this.#known && !this.#known.own ? { former: this.#known.token } : {};
    const body = { ref: { pipeline, job, attempt, epoch }, activity, run, identity, ...former };
    const now = performance.now();
    try {
      const { token, expiresInMs } = attemptAnswer.parse(await this.#worker.post('/attempts', body));
      const [renewAt, endsAt] = [now + expiresInMs / 2, now + expiresInMs];
      this.#known = { token, renewAt, endsAt, own: false };
    } catch (error) {
      if (!(error instanceof DavitError)) throw error;
      // The server needs Temporal for its answer: as long to wait for as the server itself.
      if (error.http === 503 && error.code !== 'worker/outdated' && error.code !== 'store/unreachable')
        throw new DavitError('store/unreachable', error.message, { cause: error });
      if (error.code !== 'not-found') throw error;
      const until = now + OLDER_SERVER_MS;
      this.#known = { token: await this.#own.get(), renewAt: until, endsAt: until, own: true };
    }
    return this.#known;
  }
}
