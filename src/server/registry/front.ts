/**
 * davit's own registry for engines of other machines: HTTPS in front of the registry on the loopback and of the server's
 * token service, and of nothing else.
 *
 * FRONT-1 It decides nothing: who may do what is decided by the token service and checked by the registry, as on the
 *         loopback.
 * FRONT-2 Bodies are streamed; it holds none.
 */
import http, { type IncomingMessage, type OutgoingHttpHeaders, type ServerResponse } from 'node:http';
import https from 'node:https';
import { pipeline } from 'node:stream';
import { DavitError } from '../../errors.ts';
import { messageOf } from '../../utils/message.ts';
import type { ServerLog } from '../log.ts';
import { readTls, reloadTls } from '../tls.ts';
import { TOKEN_PATH } from './token-path.ts';

const HEADERS_MS = 60_000;
const IDLE_MS = 10 * 60_000;
/** Headers that are for one connection only (RFC 9110, 7.6.1). */
const HOP = ['connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade'];

export interface FrontOptions {
  /** `HOST:PORT`, as engines name it. */
  host: string;
  listen: { host: string; port: number };
  tls: { cert: string; key: string };
  /** Origins on the loopback. */
  registry: string;
  tokens: string;
  /** That the certificate of the token service is valid for, if it has one. */
  tokensName?: string | undefined;
  log: ServerLog;
}

/** Resolves when it listens. Rejects with `tls/file`, `server/port`. */
export async function startRegistryFront(options: FrontOptions): Promise<{ close(): Promise<void> }> {
  const { listen, log, tls: files } = options;
  const tls = await readTls(files);
  const server = https.createServer({ ...tls, requestTimeout: 0, headersTimeout: HEADERS_MS });
  server.on('request', (request: IncomingMessage, response: ServerResponse) =>
    pass(options, request, response),
  );
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) =>
      reject(
        new DavitError(
          'server/port',
          `The registry ${options.host} cannot listen on ${listen.host}:${listen.port}: ${cause.message}`,
          { hint: 'Choose another address or port: davit registry enable --host NAME:PORT.', cause },
        ),
      ),
    );
    server.listen(listen.port, listen.host, resolve);
  });
  server.on('error', (error) => log.warn('the registry for other machines failed', { cause: error.message }));
  const reloading = reloadTls(server, files, { log });
  log.note('the registry listens for other machines', { host: options.host });
  return {
    close: async () => {
      reloading.stop();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

function pass(options: FrontOptions, request: IncomingMessage, response: ServerResponse): void {
  const target = targetOf(options, request.url ?? '/');
  if (!target) return refuse(response, 404, 'NAME_UNKNOWN', 'only the registry is here');
  const { url, isTokens } = target;
  const send = url.protocol === 'https:' ? https.request : http.request;
  const outgoing = send(
    url,
    {
      method: request.method,
      headers: requestHeaders(options, request),
      timeout: IDLE_MS,
      ...(isTokens && options.tokensName !== undefined && { servername: options.tokensName }),
    },
    (incoming) => {
      response.writeHead(incoming.statusCode ?? 502, responseHeaders(options, incoming));
      // A connection that breaks ends both sides; who asked sees that.
      pipeline(incoming, response, () => undefined);
    },
  );
  outgoing.on('timeout', () => outgoing.destroy(new Error('it does not respond')));
  outgoing.on('error', (error) => {
    if (response.headersSent) return void response.destroy();
    refuse(response, 503, 'UNAVAILABLE', `the registry does not respond: ${messageOf(error)}`);
  });
  pipeline(request, outgoing, () => undefined);
}

/** Undefined for all other paths, however they are written. */
function targetOf(
  { registry, tokens }: FrontOptions,
  path: string,
): { url: URL; isTokens: boolean } | undefined {
  if (!path.startsWith('/') || !URL.canParse(`${registry}${path}`)) return undefined;
  const { pathname } = new URL(`${registry}${path}`);
  if (pathname === TOKEN_PATH) return { url: new URL(`${tokens}${path}`), isTokens: true };
  const isRegistry = pathname === '/v2' || pathname.startsWith('/v2/');
  return isRegistry ? { url: new URL(`${registry}${path}`), isTokens: false } : undefined;
}

/** The registry writes addresses of itself by these. */
function requestHeaders({ host }: FrontOptions, request: IncomingMessage): OutgoingHttpHeaders {
  const headers: OutgoingHttpHeaders = { ...request.headers };
  for (const name of HOP) delete headers[name];
  return {
    ...headers,
    host,
    'x-forwarded-proto': 'https',
    'x-forwarded-host': host,
    'x-forwarded-for': request.socket.remoteAddress ?? '',
  };
}

/** The registry names the token service as this machine reaches it. */
function responseHeaders({ host }: FrontOptions, incoming: IncomingMessage): OutgoingHttpHeaders {
  const headers: OutgoingHttpHeaders = { ...incoming.headers };
  for (const name of HOP) delete headers[name];
  const challenge = incoming.headers['www-authenticate'];
  if (challenge !== undefined)
    headers['www-authenticate'] = challenge.replace(/realm="[^"]*"/, `realm="https://${host}${TOKEN_PATH}"`);
  return headers;
}

function refuse(response: ServerResponse, status: number, code: string, message: string): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(`${JSON.stringify({ errors: [{ code, message }] })}\n`);
}
