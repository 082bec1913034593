/**
 * One HTTP call to one engine, over dockerode's modem: paths, bodies and streams in, checked responses and
 * coded errors out. It knows nothing of containers, images or plans. Invariants:
 *   API-1 A URL contains only names and flags; a body never goes there (dockerode would copy it there).
 *   API-2 No environment variable decides where a call goes: every option of the modem is set.
 *   API-3 No http.Agent is set: with one, the modem prints it into a string on every call, which blocks for
 *         0.2 s under load.
 *   API-4 A connection that breaks rejects the call, at any point of a response.
 *   API-5 An abort rejects with the signal's own reason, before, during and after the response.
 *   API-6 Every call names the API version that was negotiated with this engine. What is known of an engine
 *         is forgotten when its connection breaks or it refuses the version: it may return upgraded, or with
 *         another image store.
 */
import { Readable } from 'node:stream';
import Docker from 'dockerode';
import { DavitError, type ErrorCode } from '../../errors.ts';
import { readBounded } from '../bounded.ts';
import type { RegistryAuth } from '../ports.ts';
import { responseError, transportError, type RequestContext } from './errors.ts';
import { engineTraits, type EngineTraits } from './traits.ts';
import { unlessAborted } from '../../utils/unless-aborted.ts';

/** Where the modem connects to; created by `transport.ts`. */
export type ModemTarget =
  | { socketPath: string }
  | { host: string; port: number; protocol: 'http' | 'https'; ca?: string[]; cert?: string; key?: string };

export interface Call {
  method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Built with `path`, so that every name is encoded. */
  path: string;
  query?: Record<string, string>;
  body?: unknown;
  tar?: Readable;
  /** Credentials of one registry, sent to the engine in a header. */
  auth?: RegistryAuth & { serveraddress: string };
  headers?: Record<string, string | string[]>;
  signal?: AbortSignal;
  /** For messages: `start container x`. */
  action: string;
}

/** Encodes every name in a path. */
export const path = (parts: TemplateStringsArray, ...names: string[]): string =>
  parts.reduce((whole, part, index) => whole + encodeURIComponent(names[index - 1] ?? '') + part);

interface DialError extends Error {
  statusCode?: number;
}
const FINE = Object.fromEntries([200, 201, 202, 204, 304].map((status) => [status, true]));

/** What the calls go through, if it is more than a socket. */
export interface Tunnel {
  /** Awaited before every call: brings it up. */
  assure(): Promise<void>;
  /** What is wrong with a port of this machine's loopback that the engine needs; undefined: nothing is known. */
  problem(port: number): string | undefined;
  /** What to do about an engine that does not answer; undefined: nothing is known. */
  hint(): string | undefined;
}
const DIRECT: Tunnel = { assure: async () => {}, problem: () => undefined, hint: () => undefined };

export class EngineApi {
  readonly address: string;
  readonly #modem: Docker['modem'];
  readonly #tunnel: Tunnel;
  #traits: Promise<EngineTraits> | undefined;

  constructor(address: string, target: ModemTarget, tunnel: Tunnel = DIRECT) {
    this.address = address;
    this.#tunnel = tunnel;
    const nothing = { host: undefined, socketPath: undefined, port: undefined, protocol: undefined };
    const noTls = { ca: undefined, cert: undefined, key: undefined };
    this.#modem = new Docker({ ...nothing, ...noTls, version: '', timeout: undefined, ...target }).modem;
  }

  /** Why the engine does not reach this port of this machine's loopback, if that is known. */
  forwardProblem(port: number): string | undefined {
    return this.#tunnel.problem(port);
  }

  /** Requested once, and again after the connection has broken. Rejects with `engine/*`. */
  traits(): Promise<EngineTraits> {
    this.#traits ??= this.#readTraits();
    return this.#traits;
  }

  #readTraits(): Promise<EngineTraits> {
    const get = async (unversioned: string): Promise<unknown> => {
      const signal = AbortSignal.timeout(TRAITS_MS);
      const call: Call = {
        method: 'GET',
        path: unversioned,
        action: 'read the version and information of the engine',
        signal,
      };
      try {
        return await this.#parsed(asBody(await this.#send(call, STREAM), call), call);
      } catch (error) {
        if (!signal.aborted) throw error;
        const late = `Cannot ${call.action}: the container engine at ${this.address} does not respond.`;
        throw new DavitError('engine/unreachable', late, { cause: error });
      }
    };
    const traits = Promise.all([get('/version'), get('/info')]).then(([version, info]) =>
      engineTraits(version, info, this.address),
    );
    traits.catch(() => this.#forget(traits));
    return traits;
  }

  #forget(known: Promise<EngineTraits> | undefined): void {
    if (this.#traits === known) this.#traits = undefined;
  }

  /** The parsed JSON of the response; undefined if it is empty. Rejects with `engine/*`. */
  async json(call: Call): Promise<unknown> {
    return this.#parsed(await this.stream(call), call);
  }

  /** Like `json`; undefined if the engine has no such object. */
  async find(call: Call): Promise<unknown> {
    let response: Readable;
    try {
      response = await this.#body(call, 404);
    } catch (error) {
      if (error === NOT_THERE) return undefined;
      throw error;
    }
    return this.#parsed(response, call);
  }

  /** The body of the response as a stream. A broken body fails the stream; `streamError` codes the error. */
  stream(call: Call): Promise<Readable> {
    return this.#body(call);
  }

  async #body(call: Call, missing?: number): Promise<Readable> {
    return asBody(await this.#dial(call, STREAM, missing), call);
  }

  async #parsed(body: Readable, call: Call): Promise<unknown> {
    let text: string;
    try {
      text = (await readBounded(body, MAX_JSON, tooLong)).toString('utf8');
    } catch (error) {
      throw this.streamError(error, call);
    }
    if (text.trim() === '') return undefined;
    try {
      return JSON.parse(text);
    } catch (cause) {
      throw new DavitError('engine/failed', `Cannot ${call.action}: the engine's response is not JSON.`, {
        cause,
      });
    }
  }

  /** A raw connection, for other protocols than HTTP. */
  hijack(call: Call): Promise<unknown> {
    return this.#dial(call, { hijack: true });
  }

  /** The coded error of a stream that broke. */
  streamError(error: unknown, call: Pick<Call, 'action' | 'signal'>): unknown {
    if (call.signal?.aborted) return call.signal.reason;
    const coded = transportError(error, this.#context(call));
    if (coded) this.#forget(this.#traits);
    return coded ?? error;
  }

  #context(call: Pick<Call, 'action'>): RequestContext {
    return { action: call.action, address: this.address, hint: this.#tunnel.hint() };
  }

  async #dial(call: Call, dialOptions: Record<string, unknown>, missing?: number): Promise<unknown> {
    const known = this.traits();
    try {
      call.signal?.throwIfAborted();
      const { api } = await unlessAborted(known, call.signal);
      const version = call.path.startsWith('/libpod/') ? LIBPOD_API : api;
      return await this.#send({ ...call, path: `/v${version}${call.path}` }, dialOptions, missing);
    } catch (error) {
      // The engine reads no more of it: it has responded early (404, 500), or the request was never sent.
      call.tar?.destroy();
      if (error instanceof DavitError && FORGETS.has(error.code)) this.#forget(known);
      throw error;
    }
  }

  async #send(call: Call, dialOptions: Record<string, unknown>, missing?: number): Promise<unknown> {
    call.signal?.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    let response: unknown;
    call.tar?.on('error', (error) => {
      reject(error);
      // If the source fails during the response, the reader of the response must see that error.
      if (response instanceof Readable) response.destroy(error);
    });
    const options = {
      path: call.query ? `${call.path}?` : call.path,
      method: call.method,
      options: call.tar ? { _query: call.query ?? {} } : { _query: call.query ?? {}, _body: call.body ?? {} },
      file: call.tar,
      authconfig: call.auth,
      headers: { ...call.headers },
      abortSignal: call.signal,
      statusCodes: FINE,
      ...dialOptions,
    };
    this.#tunnel
      .assure()
      .then(() => this.#modem.dial(options, (error, result) => (error ? reject(error) : resolve(result))))
      .catch(reject);
    const endSource = (): void => void call.tar?.destroy();
    try {
      response = await promise;
      if (response instanceof Readable) response.once('close', endSource);
      else endSource();
      return response;
    } catch (error) {
      throw this.#convert(error, call, missing);
    }
  }

  #convert(error: unknown, call: Call, missing?: number): unknown {
    if (call.signal?.aborted) return call.signal.reason;
    if (!(error instanceof Error)) return error;
    const { statusCode }: DialError = error;
    if (statusCode !== undefined) {
      if (statusCode === missing) return NOT_THERE;
      return responseError(statusCode, engineMessage(error.message), this.#context(call));
    }
    return transportError(error, this.#context(call)) ?? error;
  }
}

/** After these errors, the next call may reach another engine. */
const FORGETS: ReadonlySet<ErrorCode> = new Set(['engine/unreachable', 'engine/version']);
const TRAITS_MS = 30_000;
/** Version of Podman's own API, for what its Docker API lacks. */
const LIBPOD_API = '4.0.0';
/** Always as a stream: the modem's own reading of a body never ends when the connection breaks in it. */
const STREAM = { isStream: true };

function asBody(response: unknown, call: Pick<Call, 'action'>): Readable {
  if (response instanceof Readable) return response;
  throw new DavitError('engine/failed', `Cannot ${call.action}: the engine returned nothing.`);
}

const NOT_THERE = Symbol('not there');
const MAX_JSON = 64 * 1024 * 1024;

const tooLong = (): Error =>
  new DavitError('engine/failed', `The engine's response is larger than ${MAX_JSON} bytes.`);

/** The engine's own message, without the prefix and the space that the modem adds. */
const engineMessage = (message: string): string => message.replace(/^\(HTTP code \d+\) \w+ - /, '').trim();
