/**
 * Requests to one registry: scheme, credentials, tokens, redirects, retries and coded errors. It knows
 * nothing of manifests.
 *   REGISTRY-1 Credentials go to the registry's own scheme, host and port, and to a token service that
 *              `tokenAddress` allows. A redirect elsewhere carries none. There is no other registry to fall
 *              back to.
 *   REGISTRY-2 Plain http only on the loopback, or where the operator allows it.
 *   REGISTRY-3 A request is retried for 429, 5xx and a lost connection, within `patienceMs`; every request is
 *              idempotent.
 *   REGISTRY-4 Responses are read to a bound. No error contains a header, a token or a password.
 */
import type { Readable } from 'node:stream';
import { Agent, request } from 'undici';
import { DavitError } from '../../errors.ts';
import type { Digest } from '../../plan/model/ids.ts';
import { withAuthority } from '../authorities.ts';
import { readBounded } from '../bounded.ts';
import type { RegistryAuth } from '../ports.ts';
import { isLoopback, printable, oneLine } from '../text.ts';
import { exponential, retry, withCode } from '../../utils/retry.ts';
import { Tokens } from './tokens.ts';
import { parseChallenge } from './challenge.ts';

const MAX_BODY = 8 * 1024 * 1024;
const TIMEOUT_MS = 30_000;
const REDIRECTS = 5;
const INITIAL_PAUSE_MS = 200;
const MAX_PAUSE_MS = 8_000;

export interface RegistryOptions {
  /** `HOST[:PORT]` */
  host: string;
  insecure: boolean;
  auth?: RegistryAuth;
  /** In place of a token service: a token for a scope. */
  sign?: ((scope: string) => string) | undefined;
  /** PEM of an additional authority. */
  ca?: string | undefined;
  /** As in `TokenTrust`. */
  tokenHosts?: readonly string[] | undefined;
  tokenOrigins?: readonly string[] | undefined;
  /** How long an unreachable registry is retried, ms. */
  patienceMs?: number;
}
export interface Ask {
  method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE';
  /** Below `/v2/`, or an address of `uploadPath`. */
  path: string;
  /** What the request needs: `repository:x:pull`. */
  scope?: string;
  headers?: Record<string, string>;
  body?: Uint8Array;
  /** For messages: `write the index of x`. */
  what: string;
  /** Sent once, whatever the result. */
  once?: boolean;
}
export interface Answer {
  status: number;
  location?: string;
  contentType: string;
  body: Buffer;
}

export class RegistryHttp {
  readonly host: string;
  readonly #base: URL;
  readonly #agent: Agent;
  readonly #tokens: Tokens;
  readonly #patienceMs: number;

  /** Throws `registry/name` if the host is invalid. */
  constructor(options: RegistryOptions) {
    this.host = options.host;
    this.#agent = new Agent({
      headersTimeout: TIMEOUT_MS,
      bodyTimeout: TIMEOUT_MS,
      connect: { timeout: 10_000, ...withAuthority(options.ca) },
    });
    // Docker Hub's API has another host than its name.
    const host = options.host === 'docker.io' ? 'registry-1.docker.io' : options.host;
    if (!/^[A-Za-z0-9.[\]:-]+$/.test(host) || !URL.canParse(`https://${host}/v2/`))
      throw new DavitError('registry/name', `"${printable(options.host)}" is not the address of a registry.`);
    // An authority says that it speaks TLS, on the loopback too.
    const plain =
      options.insecure || (options.ca === undefined && isLoopback(new URL(`https://${host}`).hostname));
    this.#base = new URL(`${plain ? 'http' : 'https'}://${host}/v2/`);
    this.#tokens = new Tokens(this.#base, options.auth, this.#agent, {
      hosts: options.tokenHosts ?? [],
      origins: options.tokenOrigins,
      sign: options.sign,
    });
    this.#patienceMs = options.patienceMs ?? 45_000;
  }

  /**
   * 200, 201, 202 and 404 come back; everything else rejects with `registry/denied`, `registry/unreachable`,
   * `registry/failed`.
   */
  async ask(ask: Ask): Promise<Answer> {
    let retryAfterMs = 0;
    return retry(() => this.#try(ask, (ms) => (retryAfterMs = ms)), {
      retryable: withCode('registry/unreachable'),
      backoff: exponential(INITIAL_PAUSE_MS, MAX_PAUSE_MS),
      minWaitMs: () => retryAfterMs,
      forMs: ask.once ? 0 : this.#patienceMs,
    });
  }

  /** An address that the registry has named, if it is its own. */
  #own(location: string): URL | undefined {
    if (!URL.canParse(location, this.#base.href)) return undefined;
    const url = new URL(location, this.#base);
    return url.origin === this.#base.origin ? url : undefined;
  }

  /**
   * Sends what one request brings as the body of another. The credentials of both are those that were accepted
   * before; a connection that breaks off is `registry/unreachable`.
   */
  async relay(from: Ask, to: Ask): Promise<Answer> {
    try {
      let url = new URL(from.path, this.#base);
      for (let hop = 0; hop <= REDIRECTS; hop += 1) {
        const own = url.origin === this.#base.origin;
        const header = own ? await this.#header(from) : undefined;
        const reply = await request(url, {
          method: 'GET',
          headers: header === undefined ? {} : { authorization: header },
          dispatcher: this.#agent,
        });
        const location = reply.headers.location;
        if (reply.statusCode === 200)
          return await this.upload(to, reply.body, text(reply.headers['content-length']));
        await reply.body.dump();
        if (typeof location !== 'string') throw this.#failed(from, `it responded with ${reply.statusCode}`);
        url = this.#redirected(from, location, url);
      }
      throw this.#failed(from, 'it redirects too often');
    } catch (error) {
      throw error instanceof DavitError ? error : this.#unreachable(from, error);
    }
  }

  /** Sends a stream once. Rejects as `ask` does. */
  async upload(to: Ask, body: Readable | Buffer, length: string): Promise<Answer> {
    try {
      return await this.#upload(to, body, length);
    } catch (error) {
      throw error instanceof DavitError ? error : this.#unreachable(to, error);
    }
  }

  /** Where the bytes of a blob go: an address of the registry itself, as it has answered. */
  uploadPath({ status, location }: Answer, digest: Digest): string {
    const url = status === 202 ? this.#own(location ?? '') : undefined;
    if (!url)
      throw new DavitError('registry/failed', `The registry ${this.host} gives no address for an upload.`);
    url.searchParams.set('digest', digest);
    return url.href;
  }

  async #upload(to: Ask, body: Readable | Buffer, length: string): Promise<Answer> {
    const header = await this.#header(to);
    const reply = await request(new URL(to.path, this.#base), {
      method: 'PUT',
      headers: {
        'content-type': 'application/octet-stream',
        ...(length !== '' && { 'content-length': length }),
        ...(header !== undefined && { authorization: header }),
      },
      body,
      dispatcher: this.#agent,
    });
    return {
      status: reply.statusCode,
      contentType: text(reply.headers['content-type']),
      body: await readBounded(reply.body, MAX_BODY, tooLong),
    };
  }

  /** Credentials for a scope; a token that is not there yet is fetched by a request for nothing. */
  async #header(ask: Ask): Promise<string | undefined> {
    const known = this.#tokens.known(ask.scope);
    if (known !== undefined) return known;
    const reply = await this.#send({ ...ask, method: 'HEAD' }, undefined);
    return reply.status === 401 ? this.#tokens.answer(reply.challenge, ask) : undefined;
  }

  /**
   * One attempt, with a second request for a challenge. `retryAfter` receives what the registry itself asks
   * for.
   */
  async #try(ask: Ask, retryAfter: (ms: number) => void): Promise<Answer> {
    retryAfter(0);
    try {
      const shown = this.#tokens.known(ask.scope);
      let reply = await this.#send(ask, shown);
      if (reply.status === 401) {
        const header = await this.#tokens.answer(reply.challenge, { ...ask, shown });
        if (header !== undefined) reply = await this.#send(ask, header);
      }
      if ([200, 201, 202, 404].includes(reply.status)) return reply;
      if (reply.status === 401 || reply.status === 403) throw this.#denied(ask, reply);
      retryAfter(reply.retryAfterMs ?? 0);
      throw new DavitError(
        reply.status === 429 || reply.status >= 500 ? 'registry/unreachable' : 'registry/failed',
        `Cannot ${ask.what}: the registry ${this.host} responded with ${reply.status}: ${oneLine(words(reply.body))}`,
      );
    } catch (error) {
      throw error instanceof DavitError ? error : this.#unreachable(ask, error);
    }
  }

  async #send(
    ask: Ask,
    authorization: string | undefined,
  ): Promise<Answer & { challenge: string; retryAfterMs?: number }> {
    let url = new URL(ask.path, this.#base);
    for (let hop = 0; hop <= REDIRECTS; hop += 1) {
      const own = url.origin === this.#base.origin;
      const reply = await request(url, {
        method: ask.method,
        headers: { ...ask.headers, ...(own && authorization !== undefined && { authorization }) },
        body: ask.body,
        dispatcher: this.#agent,
      });
      const location = reply.headers.location;
      if (![301, 302, 303, 307, 308].includes(reply.statusCode) || typeof location !== 'string') {
        const body = await readBounded(reply.body, MAX_BODY, tooLong);
        return {
          status: reply.statusCode,
          ...(typeof location === 'string' && { location }),
          contentType: text(reply.headers['content-type']).split(';')[0]?.trim() ?? '',
          body,
          challenge: text(reply.headers['www-authenticate']),
          retryAfterMs: retryAfter(text(reply.headers['retry-after'])),
        };
      }
      await reply.body.dump();
      url = this.#redirected(ask, location, url);
    }
    throw this.#failed(ask, 'it redirects too often');
  }

  #redirected(ask: Ask, location: string, from: URL): URL {
    if (!URL.canParse(location, from.href)) throw this.#failed(ask, 'it redirects to an invalid address');
    const to = new URL(location, from);
    if (ask.method !== 'GET' && ask.method !== 'HEAD' && to.origin !== from.origin)
      throw this.#failed(ask, `it redirects a write to ${printable(to.origin)}, which is not followed`);
    if (to.protocol !== 'https:' && to.origin !== from.origin)
      throw this.#failed(ask, `it redirects to ${printable(to.origin)}, which is plain http`);
    return to;
  }

  #failed(ask: Ask, why: string): DavitError {
    return new DavitError(
      'registry/failed',
      `Cannot ${ask.what}: the registry ${this.host} misbehaves: ${why}.`,
    );
  }

  #denied(ask: Ask, reply: { status: number; challenge: string; body: Buffer }): DavitError {
    const scope = parseChallenge(reply.challenge)?.scope ?? ask.scope;
    return this.#tokens.denied(ask, scope, words(reply.body));
  }

  #unreachable(ask: Ask, error: unknown): DavitError {
    const code =
      error instanceof Error && 'code' in error && typeof error.code === 'string'
        ? error.code
        : 'no response';
    const certificate = /CERT|SSL|TLS|SELF_SIGNED|ALTNAME|UNABLE_TO_VERIFY/.test(code);
    return new DavitError(
      'registry/unreachable',
      `Cannot ${ask.what}: the registry ${this.host} does not respond (${code}).`,
      certificate
        ? {
            hint: 'Its certificate is not trusted: an authority of your own is `ca_file` in the installation file. A registry without TLS needs `insecure: true` there.',
          }
        : {},
    );
  }
}

const text = (header: string | string[] | undefined): string =>
  Array.isArray(header) ? header.join(', ') : (header ?? '');

const tooLong = (): Error =>
  new DavitError('registry/failed', `The registry sent more than ${MAX_BODY} bytes instead of a manifest.`);

/** Seconds or a date (RFC 9110 §10.2.3) to ms from now. */
function retryAfter(value: string): number | undefined {
  if (/^\d{1,6}$/.test(value)) return Number(value) * 1000;
  const at = Date.parse(value);
  return Number.isNaN(at) ? undefined : Math.max(0, at - Date.now());
}

/** The message of an error response: `{"errors":[{"code","message"}]}`, else its text. */
function words(body: Buffer): string {
  const said = body.toString('utf8').slice(0, 2000);
  const found = [...said.matchAll(/"(?:code|message)"\s*:\s*"([^"]{1,300})"/g)].map((one) => one[1]);
  return found.length > 0 ? found.join(': ') : said.replace(/<[^>]*>/g, ' ');
}
