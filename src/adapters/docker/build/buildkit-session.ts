/**
 * The session through which BuildKit asks for credentials: HTTP/2 with gRPC on a connection that the engine
 * has hijacked; the engine is the client. There are two methods of one unary message each, so they are
 * implemented here without a gRPC server.
 *   SESSION-1 A registry gets its own credentials only, by exact host; any other host gets none.
 *   SESSION-2 The session ends with the build, whatever its outcome.
 */
import { randomUUID } from 'node:crypto';
import { createServer, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import protobuf from 'protobufjs/minimal.js';
import { DavitError } from '../../../errors.ts';
import type { RegistryAuth } from '../../ports.ts';
import { path, type EngineApi } from '../api.ts';

const CREDENTIALS = '/moby.filesync.v1.Auth/Credentials';
const HEALTH = '/grpc.health.v1.Health/Check';
const MAX_MESSAGE = 64 * 1024;
const GRPC = { ok: '0', invalid: '3', unimplemented: '12' } as const;

export interface BuildSession {
  id: string;
  close(): void;
}

/** Opens a session that serves `auth` (credentials by registry host). Rejects with `engine/*`. */
export async function openSession(
  api: EngineApi,
  auth: Record<string, RegistryAuth>,
  signal: AbortSignal,
): Promise<BuildSession> {
  const id = randomUUID();
  const socket = await api.hijack({
    method: 'POST',
    path: path`/session`,
    headers: {
      Upgrade: 'h2c',
      'X-Docker-Expose-Session-Uuid': id,
      'X-Docker-Expose-Session-Name': 'davit',
      'X-Docker-Expose-Session-Grpc-Method': [CREDENTIALS, HEALTH],
    },
    signal,
    action: 'open a build session',
  });
  if (!(socket instanceof Duplex))
    throw new DavitError('engine/failed', 'The engine did not open a connection for the build session.');
  const server = createServer();
  const sessions = new Set<ServerHttp2Session>();
  // The build's own stream reports errors; a broken session only leaves requests without a response.
  const ignore = (): void => {};
  server.on('sessionError', ignore);
  server.on('session', (session) => sessions.add(session));
  server.on('stream', (stream, headers) => {
    stream.on('error', ignore);
    void handleRequest(stream, headers[':path'] ?? '', auth);
  });
  socket.on('error', ignore);
  // Node refuses HTTP/2 on a TLS socket whose protocol was not negotiated as HTTP/2; this one began as HTTP/1.1.
  const plain = socket instanceof TLSSocket ? Duplex.from({ readable: socket, writable: socket }) : socket;
  plain.on('error', ignore);
  server.emit('connection', plain);
  return {
    id,
    close() {
      for (const session of sessions) session.destroy();
      plain.destroy();
      socket.destroy();
    },
  };
}

async function handleRequest(
  stream: ServerHttp2Stream,
  method: string,
  auth: Record<string, RegistryAuth>,
): Promise<void> {
  try {
    const asked = await message(stream);
    if (method === CREDENTIALS) reply(stream, GRPC.ok, credentials(asked, auth));
    // HealthCheckResponse{status: SERVING}; BuildKit abandons a session that does not report this every few
    // seconds.
    else if (method === HEALTH) reply(stream, GRPC.ok, protobuf.Writer.create().uint32(8).uint32(1).finish());
    else reply(stream, GRPC.unimplemented);
  } catch {
    reply(stream, GRPC.invalid); // an unreadable request gets the gRPC status for it
  }
}

/** CredentialsRequest{Host=1} to CredentialsResponse{Username=1, Secret=2}. */
export function credentials(asked: Uint8Array, auth: Record<string, RegistryAuth>): Uint8Array {
  const reader = protobuf.Reader.create(asked);
  let host = '';
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (tag >>> 3 === 1) host = reader.string();
    else reader.skipType(tag & 7);
  }
  const writer = protobuf.Writer.create();
  // Docker Hub uses other host names than the one in image names.
  const known = /^(?:registry-1|index|auth)\.docker\.io$/.test(host) ? 'docker.io' : host;
  const own = Object.hasOwn(auth, known) ? auth[known] : undefined;
  if (own) writer.uint32(10).string(own.username).uint32(18).string(own.password);
  return writer.finish();
}

/** The one message of a unary call: 1 byte of flags, 4 of length, the bytes. */
async function message(stream: ServerHttp2Stream): Promise<Uint8Array> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of stream) {
    const chunk = Buffer.from(part);
    bytes += chunk.length;
    if (bytes > MAX_MESSAGE) throw new Error('too long');
    parts.push(chunk);
  }
  const frame = Buffer.concat(parts);
  if (frame.length < 5 || frame[0] !== 0 || frame.readUInt32BE(1) !== frame.length - 5)
    throw new Error('no message');
  return frame.subarray(5);
}

function reply(stream: ServerHttp2Stream, status: string, body?: Uint8Array): void {
  if (stream.destroyed || stream.headersSent) return;
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': status }));
  if (!body) return void stream.end();
  const head = Buffer.alloc(5);
  head.writeUInt32BE(body.length, 1);
  stream.end(Buffer.concat([head, body]));
}
