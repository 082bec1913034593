/**
 * gRPC (HTTP/2 without TLS) through a border: one session up for each session down, so that a lost connection
 * is seen as one.
 */
import {
  connect,
  constants,
  createServer,
  type ClientHttp2Session,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import { buffer } from 'node:stream/consumers';
import type { Border, Crossing } from './border.ts';
import { listening, type Proxy } from './listening.ts';

const SETTINGS = {
  maxConcurrentStreams: 10_000,
  initialWindowSize: 4 * 1_024 * 1_024,
  maxFrameSize: 1 << 20,
};

export async function grpcProxy(border: Border, port: number, upstream: { port: number }): Promise<Proxy> {
  const server = createServer({ settings: SETTINGS });
  const ups = new Map<ServerHttp2Session, ClientHttp2Session>();
  server.on('session', (session) => {
    if (border.state === 'cut') {
      session.destroy();
      return;
    }
    const up = connect(`http://127.0.0.1:${upstream.port}`, { settings: SETTINGS });
    up.setMaxListeners(0);
    ups.set(session, up);
    const end = (): void => {
      ups.delete(session);
      up.destroy();
      session.destroy();
    };
    for (const side of [session, up]) side.on('error', end).on('close', end).on('goaway', end);
  });
  server.on('sessionError', () => undefined);
  server.on('stream', (stream, headers) => {
    stream.on('error', () => undefined);
    const up = stream.session && ups.get(stream.session as ServerHttp2Session);
    if (!up || up.destroyed) {
      stream.close(constants.NGHTTP2_REFUSED_STREAM);
      return;
    }
    cross(border, up, { stream, headers }).catch(() => stream.close(constants.NGHTTP2_CANCEL));
  });
  border.destroyAll = () => {
    for (const session of ups.keys()) session.destroy();
  };
  return listening(border, server, { port, host: '127.0.0.1' });
}

async function cross(
  border: Border,
  up: ClientHttp2Session,
  { stream, headers }: { stream: ServerHttp2Stream; headers: IncomingHttpHeaders },
): Promise<void> {
  const crossing: Crossing = { method: 'GRPC', path: headers[':path'] ?? '', body: Buffer.alloc(0) };
  const dropped = (): void => stream.session?.destroy();
  // Calls of Temporal are unary: a request is whole before it means anything.
  crossing.body = await buffer(stream);
  await border.passable();
  if ((await border.act('before', crossing)) !== 'pass') return dropped();
  if (stream.destroyed || up.destroyed) return dropped();
  const out = up.request(headers, { endStream: false });
  stream.once('close', () => out.close(constants.NGHTTP2_CANCEL));
  out.on('error', () => stream.close(constants.NGHTTP2_CANCEL));
  out.end(border.changed(crossing));
  out.once('response', (answer) => void respond(answer).catch(() => stream.close(constants.NGHTTP2_CANCEL)));
  const respond = async (answer: IncomingHttpHeaders): Promise<void> => {
    // Held until the whole response is there: then Temporal has committed it.
    let trailers: IncomingHttpHeaders | undefined;
    out.once('trailers', (sent) => {
      trailers = sent;
    });
    const bytes = await buffer(out);
    const status = Number(trailers?.['grpc-status'] ?? answer['grpc-status'] ?? 0);
    border.saw(crossing, status);
    await border.passable();
    if ((await border.act('after', crossing)) !== 'pass') return dropped();
    if (stream.destroyed) return;
    const whole = border.answered(crossing, bytes);
    if (!trailers) {
      stream.respond(answer, { endStream: true });
      return;
    }
    stream.respond(answer, { waitForTrailers: true });
    stream.once('wantTrailers', () => stream.sendTrailers(trailers ?? {}));
    stream.end(whole);
  };
}
