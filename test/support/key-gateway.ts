/**
 * A gateway that wants an API key, as Temporal Cloud has one: HTTP/2 with TLS, each call with `authorization: Bearer
 * KEY`. It passes calls on to a Temporal server with a certificate of its own.
 */
import {
  connect,
  constants,
  createSecureServer,
  type ClientHttp2Session,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import type { SecureClientSessionOptions } from 'node:http2';

const UNAUTHENTICATED = '16';

export interface KeyGateway {
  port: number;
  /** Calls without the key. */
  refused(): number;
  close(): Promise<void>;
}

export async function startKeyGateway(of: {
  apiKey: string;
  certificate: { cert: string; key: string };
  upstream: { url: string; tls: SecureClientSessionOptions };
}): Promise<KeyGateway> {
  let refused = 0;
  const server = createSecureServer({ ...of.certificate, settings: { maxConcurrentStreams: 1_000 } });
  const ups = new Set<ClientHttp2Session>();
  server.on('sessionError', () => undefined);
  server.on('session', (session) => {
    session.on('error', () => undefined);
    const up = connect(of.upstream.url, of.upstream.tls);
    ups.add(up);
    up.on('error', () => session.destroy());
    up.on('close', () => ups.delete(up));
    session.on('close', () => up.destroy());
    session.on('stream', (stream, headers) => {
      stream.on('error', () => undefined);
      if (headers.authorization === `Bearer ${of.apiKey}`) return pass(up, stream, headers);
      refused += 1;
      const head = { ':status': 200, 'content-type': 'application/grpc', 'grpc-status': UNAUTHENTICATED };
      stream.respond(head, { endStream: true });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return {
    port: typeof address === 'object' && address ? address.port : 0,
    refused: () => refused,
    close: async () => {
      for (const up of ups) up.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function pass(up: ClientHttp2Session, stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
  const { authorization: _, ...rest } = headers;
  const out = up.request(rest, { endStream: false });
  let trailers: IncomingHttpHeaders = {};
  out.on('error', () => stream.close(constants.NGHTTP2_CANCEL));
  stream.on('close', () => out.close(constants.NGHTTP2_CANCEL));
  stream.pipe(out);
  out.once('trailers', (sent) => {
    trailers = sent;
  });
  out.once('response', (head, flags) => {
    const over = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0;
    stream.respond(head, { endStream: over, waitForTrailers: !over });
    if (!over) out.pipe(stream);
  });
  stream.once('wantTrailers', () => stream.sendTrailers(trailers));
}
