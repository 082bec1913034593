/**
 * Credentials of one registry: Basic, or a Bearer token for each scope, from the token service of the
 * registry.
 */
import { request, type Agent } from 'undici';
import { z } from 'zod';
import { DavitError } from '../../errors.ts';
import type { RegistryAuth } from '../ports.ts';
import { printable, oneLine } from '../text.ts';
import { parseChallenge, tokenAddress, type Challenge, type TokenTrust } from './challenge.ts';

const MAX_TOKEN_ANSWER = 256 * 1024;
/** The protocol's default if the service sends no lifetime (distribution, "Token Authentication"). */
const DEFAULT_LIFE_S = 60;

const tokenAnswer = z.object({
  token: z.string().optional(),
  access_token: z.string().optional(),
  expires_in: z.number().optional(),
});
interface Wanted {
  scope?: string;
  what: string;
}

export class Tokens {
  readonly #registry: URL;
  readonly #auth?: RegistryAuth;
  readonly #agent: Agent;
  readonly #trust: Omit<TokenTrust, 'credentials'>;
  readonly #sign: ((scope: string) => string) | undefined;
  #basic = false;
  readonly #bearer = new Map<string, { header: string; until: number }>();

  constructor(
    registry: URL,
    auth: RegistryAuth | undefined,
    agent: Agent,
    {
      sign,
      ...trust
    }: Omit<TokenTrust, 'credentials'> & { sign?: ((scope: string) => string) | undefined } = { hosts: [] },
  ) {
    this.#trust = trust;
    this.#sign = sign;
    this.#registry = registry;
    this.#auth = auth;
    this.#agent = agent;
  }

  /** The credentials that worked for this scope before. */
  known(scope: string | undefined): string | undefined {
    if (this.#basic) return this.#basicHeader();
    if (this.#sign && scope !== undefined) return `Bearer ${this.#sign(scope)}`;
    const token = this.#bearer.get(scope ?? '');
    return token && token.until > performance.now() ? token.header : undefined;
  }

  /**
   * Responds to a challenge; undefined if there are no (other) credentials to send. Rejects with
   * `registry/denied`, `registry/unreachable`.
   */
  async answer(challengeHeader: string, wanted: Wanted & { shown?: string }): Promise<string | undefined> {
    const challenge = parseChallenge(challengeHeader);
    if (challenge?.scheme === 'basic') {
      // Parallel requests each get the first challenge: only what this request has sent counts.
      if (!this.#auth || wanted.shown === this.#basicHeader()) return undefined;
      this.#basic = true;
      return this.#basicHeader();
    }
    if (challenge?.scheme === 'bearer') return this.#fetch(challenge, wanted);
    return undefined;
  }

  /** `registry/denied`, with the user and the missing scope. */
  denied(wanted: Wanted, scope: string | undefined, said: string): DavitError {
    const who = this.#auth
      ? `user "${printable(this.#auth.username)}"`
      : 'an anonymous request (no credentials are configured)';
    const lacks = scope === undefined ? 'access' : `the scope ${printable(scope)}`;
    return new DavitError(
      'registry/denied',
      `Cannot ${wanted.what}: the registry ${this.#registry.host} refused ${who}. Missing: ${lacks}. Response: ${oneLine(said)}`,
    );
  }

  async #fetch(challenge: Challenge, wanted: Wanted): Promise<string> {
    const scope = wanted.scope ?? challenge.scope;
    const url = tokenAddress(challenge.realm, this.#registry, {
      credentials: this.#auth !== undefined,
      ...this.#trust,
    });
    if (!url)
      throw new DavitError(
        'registry/denied',
        `Cannot ${wanted.what}: the registry ${this.#registry.host} sends to the token service ${printable(challenge.realm ?? '(none)')}, which is not trusted; no credentials were sent.`,
        {
          hint: 'A token service is the registry itself, https in the same domain, or named under token_hosts of the registry.',
        },
      );
    if (challenge.service !== undefined) url.searchParams.set('service', challenge.service);
    for (const one of scope?.split(' ') ?? []) url.searchParams.append('scope', one);
    const basic = this.#basicHeader();
    const reply = await request(url, {
      headers: basic === undefined ? {} : { authorization: basic },
      dispatcher: this.#agent,
    });
    const body = (await reply.body.text()).slice(0, MAX_TOKEN_ANSWER);
    if (reply.statusCode === 401 || reply.statusCode === 403)
      throw this.denied(wanted, scope, `the token service responded with ${reply.statusCode}`);
    if (reply.statusCode !== 200)
      throw new DavitError(
        reply.statusCode >= 500 || reply.statusCode === 429 ? 'registry/unreachable' : 'registry/failed',
        `Cannot ${wanted.what}: the token service ${printable(url.origin)} responded with ${reply.statusCode}.`,
      );
    return this.#keep(wanted.scope, body);
  }

  #keep(scope: string | undefined, body: string): string {
    let parsed: z.infer<typeof tokenAnswer> = {};
    try {
      parsed = tokenAnswer.parse(JSON.parse(body));
    } catch {
      // Reported below, without the body: it may contain a token.
    }
    const token = parsed.token ?? parsed.access_token;
    if (token === undefined || !/^[\x21-\x7e]+$/.test(token))
      throw new DavitError(
        'registry/failed',
        `The token service of ${this.#registry.host} returned no token.`,
      );
    const header = `Bearer ${token}`;
    const life = (parsed.expires_in ?? DEFAULT_LIFE_S) * 1000;
    // Half its lifetime: clocks differ, and a request takes time.
    this.#bearer.set(scope ?? '', { header, until: performance.now() + life / 2 });
    return header;
  }

  #basicHeader(): string | undefined {
    if (!this.#auth) return undefined;
    return `Basic ${Buffer.from(`${this.#auth.username}:${this.#auth.password}`).toString('base64')}`;
  }
}
