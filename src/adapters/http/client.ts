/**
 * Calls to the server: connections are kept, a lost one is retried for a bounded time, and errors keep the
 * server's codes.
 */
import type { Readable } from 'node:stream';
import { Agent, errors, request, type Dispatcher } from 'undici';
import { DavitError, ERRORS, type ErrorCode } from '../../errors.ts';
import { codedStream } from '../../utils/coded-stream.ts';
import { exponential, retry } from '../../utils/retry.ts';
import { asTokenSource, type TokenSource } from './token-source.ts';
import { untrustedReason } from '../../utils/untrusted.ts';
import { INTERNAL } from './wire.ts';

const INITIAL_PAUSE_MS = 50;
const MAX_PAUSE_MS = 1_000;
const MAX_ERROR_BYTES = 64 * 1_024;

export interface ClientOptions {
  /** http://host:port */
  url: string;
  /** A worker's token, or where to have it from. */
  workerToken: string | TokenSource;
  /** How long an unreachable server is retried before `store/unreachable`; 5 s. */
  patienceMs?: number;
}
export interface Call {
  method: 'GET' | 'PUT' | 'POST' | 'HEAD';
  path: string;
  type?: string;
  /** A stream is sent once: it cannot be retried. */
  body?: Buffer | Readable;
  /** A status that is a result for the caller, not an error. */
  accept?: number;
}
export type Answer = Dispatcher.ResponseData;

export class StoreClient {
  readonly #options: Required<Omit<ClientOptions, 'workerToken'>>;
  readonly #token: TokenSource;
  readonly #shared: Shared;

  constructor(options: ClientOptions, shared?: Shared) {
    this.#options = { patienceMs: 5_000, ...options, url: options.url.replace(/\/+$/, '') };
    this.#token = asTokenSource(options.workerToken);
    this.#shared = shared ?? { agent: newAgent(), heard: undefined };
  }

  /** Another token over the same connections. */
  withToken(workerToken: TokenSource): StoreClient {
    return new StoreClient({ ...this.#options, workerToken }, this.#shared);
  }

  /**
   * Sends a request and reads its response; a connection that breaks in between is retried as a whole.
   * Rejects with the server's coded error, or `store/unreachable`.
   */
  async call<T>(call: Call, read: (answer: Answer) => Promise<T>): Promise<T> {
    const repeatable = isRepeatable(call);
    const attempt = async (): Promise<T> => {
      const answer = await this.#try(call);
      try {
        return await read(answer);
      } catch (error) {
        throw unreachable(this.#options.url, error);
      }
    };
    return retry(attempt, {
      retryable: (error) => repeatable && error instanceof DavitError && error.http === 503,
      backoff: exponential(INITIAL_PAUSE_MS, MAX_PAUSE_MS),
      forMs: this.#options.patienceMs,
    });
  }

  post(path: string, body: unknown): Promise<unknown> {
    const text = Buffer.from(JSON.stringify(body));
    return this.json({ method: 'POST', path, type: 'application/json', body: text });
  }

  json(call: Call): Promise<unknown> {
    return this.call(call, ({ body }) => body.json());
  }

  /** The body as a stream, which fails with `store/unreachable` if the connection breaks. */
  stream(call: Call): Promise<Readable> {
    const code = (error: Error): Error => unreachable(this.#options.url, error);
    return this.call(call, async ({ body }) => codedStream(body, code));
  }

  close(): Promise<void> {
    return this.#shared.agent.destroy();
  }

  /**
   * Epoch ms by the server's clock, to the second: workers whose clocks differ or jump agree by it. Before
   * the first response it is this machine's own clock.
   */
  now(): number {
    const { heard } = this.#shared;
    return heard ? heard.serverMs + (performance.now() - heard.at) : Date.now();
  }

  #hear(date: unknown): void {
    const serverMs = typeof date === 'string' ? Date.parse(date) : Number.NaN;
    if (!Number.isNaN(serverMs)) this.#shared.heard = { serverMs, at: performance.now() };
  }

  /** A refused token is replaced once, if there is another one. A stream is sent once. */
  async #try(call: Call): Promise<Answer> {
    const token = await this.#token.get();
    try {
      return await this.#send(call, token);
    } catch (error) {
      const refused = error instanceof DavitError && isRefusedToken(error.code);
      if (!refused || !isRepeatable(call) || !(await this.#token.refused(token))) throw error;
    }
    return this.#send(call, await this.#token.get());
  }

  async #send({ method, path, type, body, accept }: Call, token: string): Promise<Answer> {
    let answer: Answer;
    try {
      answer = await request(`${this.#options.url}${INTERNAL}${path}`, {
        dispatcher: this.#shared.agent,
        method,
        body,
        headers: {
          authorization: `Bearer ${token}`,
          ...(type === undefined ? {} : { 'content-type': type }),
        },
      });
    } catch (error) {
      throw unreachable(this.#options.url, error);
    }
    this.#hear(answer.headers.date);
    if (answer.statusCode < 400 || answer.statusCode === accept) return answer;
    throw await refused(answer, this.#options.url).catch((error: unknown) =>
      unreachable(this.#options.url, error),
    );
  }
}

/** Connections, and the server's clock. */
interface Shared {
  agent: Agent;
  /** The server's time in its last response, and this process's monotonic clock at that moment. */
  heard: { serverMs: number; at: number } | undefined;
}

const newAgent = (): Agent =>
  new Agent({
    keepAliveTimeout: 30_000,
    connect: { timeout: 5_000 },
    headersTimeout: 60_000,
    bodyTimeout: 60_000,
  });

const isRepeatable = ({ body }: Call): boolean => body === undefined || Buffer.isBuffer(body);
/** `worker/outdated`: the server was upgraded meanwhile, and wants the token of an attempt. */
const isRefusedToken = (code: ErrorCode): boolean =>
  code === 'auth/missing' || code === 'auth/expired' || code === 'worker/outdated';

/** An error of the connection as `store/unreachable`; any other error is returned as it is. */
function unreachable(url: string, error: unknown): Error {
  const reason = untrustedReason(error);
  if (reason !== undefined)
    return new DavitError('tls/untrusted', `The certificate of ${url} cannot be verified (${reason}).`, {
      cause: error,
    });
  const ofConnection =
    error instanceof errors.UndiciError ||
    error instanceof errors.HTTPParserError ||
    (error instanceof Error &&
      'code' in error &&
      typeof error.code === 'string' &&
      /^(?:E[A-Z]|UND_)/.test(error.code));
  if (!ofConnection) return error instanceof Error ? error : new Error(String(error));
  return new DavitError('store/unreachable', `The server at ${url} did not respond.`, { cause: error });
}

const isCode = (code: unknown): code is ErrorCode => typeof code === 'string' && Object.hasOwn(ERRORS, code);

async function refused(answer: Answer, url: string): Promise<DavitError> {
  const text = await shortText(answer.body);
  const error = readError(text);
  if (error) return error;
  const code = answer.statusCode >= 502 && answer.statusCode <= 504 ? 'store/unreachable' : 'internal/defect';
  return new DavitError(code, `The server at ${url} responded with HTTP ${answer.statusCode}.`);
}

/** ApiError of `src/server/api.ts`. */
function readError(text: string): DavitError | undefined {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    return undefined; // not a response of davit: a proxy's page, or a HEAD without a body
  }
  if (typeof body !== 'object' || body === null || !('error' in body)) return undefined;
  const { error } = body;
  if (typeof error !== 'object' || error === null || !('code' in error) || !isCode(error.code))
    return undefined;
  const message = 'message' in error && typeof error.message === 'string' ? error.message : error.code;
  const hint = 'hint' in error && typeof error.hint === 'string' ? error.hint : undefined;
  return new DavitError(error.code, message, { hint });
}

async function shortText(body: Answer['body']): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  const stream: AsyncIterable<Buffer> = body;
  for await (const chunk of stream) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > MAX_ERROR_BYTES) break;
  }
  return Buffer.concat(chunks).toString('utf8');
}
