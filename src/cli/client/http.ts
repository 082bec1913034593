/**
 * One HTTP request, by Node's own client: undici loads 110 modules, which is a tenth of a second in a command that takes half of
 * one. A connection that does not come about, or stands still, fails with ETIMEDOUT.
 */
import type { Agent, ClientRequest, IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { http, https } from '../../local/process/node-http.ts';

const CONNECT_MS = 5_000;
/** Between two bytes in any direction; the server sends a comment each 15 s. */
const SILENCE_MS = 45_000;

export interface HttpCall {
  method: 'GET' | 'POST';
  url: string;
  headers: Record<string, string>;
  body?: string | Readable;
  signal?: AbortSignal;
}
export interface HttpLimits {
  connectMs?: number;
  silenceMs?: number;
}

/** Keeps its connections until it is closed. */
export class HttpClient {
  readonly #limits: Required<HttpLimits>;
  readonly #agents = new Map<string, Agent>();

  constructor(limits: HttpLimits = {}) {
    this.#limits = { connectMs: CONNECT_MS, silenceMs: SILENCE_MS, ...limits };
  }

  /** Resolves with the response, whose body is read from it. Rejects with the error of Node or the signal's. */
  send(call: HttpCall): Promise<IncomingMessage> {
    const { method, url, headers, body, signal } = call;
    const api = url.startsWith('https:') ? https : http;
    const agent = this.#agents.get(url.slice(0, 5)) ?? new api.Agent({ keepAlive: true });
    this.#agents.set(url.slice(0, 5), agent);
    return new Promise((resolve, reject) => {
      const request = api.request(url, { method, headers, agent, signal });
      request.on('error', reject);
      request.once('response', (response) => {
        response.on('error', () => undefined); // the reader of the body receives it
        resolve(response);
      });
      this.#limit(request);
      if (typeof body !== 'object') return void request.end(body);
      body.once('error', (error) => request.destroy(error));
      body.pipe(request);
    });
  }

  close(): void {
    for (const agent of this.#agents.values()) agent.destroy();
  }

  #limit(request: ClientRequest): void {
    const late = (what: string): void => {
      request.destroy(Object.assign(new Error(what), { code: 'ETIMEDOUT' }));
    };
    request.setTimeout(this.#limits.silenceMs, () => late('the server sends nothing'));
    request.once('socket', (socket) => {
      if (!socket.connecting) return;
      const timer = setTimeout(() => late('no connection'), this.#limits.connectMs);
      for (const event of ['connect', 'close'] as const) socket.once(event, () => clearTimeout(timer));
    });
  }
}
