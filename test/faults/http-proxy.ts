/** HTTP/1.1 through a border, to a port or a unix socket; hijacked connections pass as bytes. */
import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { buffer } from 'node:stream/consumers';
import type { Duplex } from 'node:stream';
import type { Border, Crossing } from './border.ts';
import { listening, type Proxy, throughBorder } from './listening.ts';

export type Place = { socketPath: string } | { host: string; port: number };

export async function httpProxy(border: Border, listen: Place, upstream: Place): Promise<Proxy> {
  const sockets = new Set<Socket>();
  const server = createServer((incoming, response) => {
    cross(border, upstream, { incoming, response }).catch(() => {
      incoming.destroy();
      response.destroy();
    });
  });
  server.on('connection', (socket) => {
    if (border.state === 'cut') return void socket.destroy();
    sockets.add(socket);
    socket.on('error', () => socket.destroy()).once('close', () => sockets.delete(socket));
  });
  server.on('upgrade', (incoming, socket, head) => takeOver(border, upstream, { incoming, socket, head }));
  border.destroyAll = () => {
    for (const socket of sockets) socket.destroy();
  };
  server.keepAliveTimeout = 0;
  server.requestTimeout = 0;
  server.headersTimeout = 0;
  return listening(border, server, 'socketPath' in listen ? { path: listen.socketPath } : listen);
}

/** How long a sender may go on after an early response. */
const EARLY_MS = 500;

type Both = { incoming: IncomingMessage; response: ServerResponse };

async function cross(border: Border, upstream: Place, { incoming, response }: Both): Promise<void> {
  const crossing: Crossing = {
    method: incoming.method ?? '',
    path: incoming.url ?? '',
    body: Buffer.alloc(0),
  };
  const whole = border.wantsBody(crossing);
  if (whole) crossing.body = await buffer(incoming);
  await border.passable();
  const first = await border.act('before', crossing);
  if (typeof first === 'object') {
    if (!whole) incoming.resume();
    response.writeHead(first.status, { ...first.headers, connection: 'close' });
    return void response.end(first.body);
  }
  if (first === 'drop') return void incoming.destroy();
  if (border.state === 'cut') return void incoming.destroy();
  const headers = { ...incoming.headers };
  const body = whole ? border.changed(crossing) : undefined;
  if (body) {
    headers['content-length'] = String(body.length);
    delete headers['transfer-encoding'];
  }
  const path = border.pathOf(crossing);
  const out = request({ ...upstream, method: incoming.method, path, headers, agent: false });
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    out
      .once('response', resolve)
      .on('error', reject)
      .once('close', () => reject(new Error('closed')));
  });
  response.once('close', () => out.destroy());
  let answer: IncomingMessage;
  try {
    if (body) out.end(body);
    else incoming.on('error', () => out.destroy()).pipe(out);
    answer = await answered;
  } catch (error) {
    border.saw(crossing, undefined);
    throw error;
  }
  border.saw(crossing, answer.statusCode);
  await border.passable();
  if ((await border.act('after', crossing)) !== 'pass') {
    answer.destroy();
    throw new Error('dropped');
  }
  await reply(border, crossing, { answer, response });
  if (incoming.complete) return;
  // It has responded before it has read the request, and reads no more of it. Closed at once, the response could be lost.
  incoming.unpipe(out).resume();
  setTimeout(() => incoming.destroy(), EARLY_MS).unref();
}

async function reply(
  border: Border,
  crossing: Crossing,
  { answer, response }: { answer: IncomingMessage; response: ServerResponse },
): Promise<void> {
  if (border.answerChanges.length > 0 && answer.headers['content-type']?.includes('json')) {
    const bytes = border.answered(crossing, await buffer(answer));
    const { 'transfer-encoding': _encoding, ...headers } = answer.headers;
    response.writeHead(answer.statusCode ?? 502, { ...headers, 'content-length': String(bytes.length) });
    response.end(bytes);
    return;
  }
  // About the other connection: an engine that responds early closes it.
  const { connection: _connection, ...headers } = answer.headers;
  response.writeHead(answer.statusCode ?? 502, headers);
  response.flushHeaders();
  await pipeline(answer, throughBorder(border), response);
}

function takeOver(
  border: Border,
  upstream: Place,
  { incoming, socket, head }: { incoming: IncomingMessage; socket: Duplex; head: Buffer },
): void {
  if (border.state === 'cut') return void socket.destroy();
  const out = connect('socketPath' in upstream ? { path: upstream.socketPath } : upstream);
  const end = (): void => {
    out.destroy();
    socket.destroy();
  };
  out.on('error', end).on('close', end);
  socket.on('error', end).on('close', end);
  const lines = [`${incoming.method} ${incoming.url} HTTP/1.1`];
  for (let at = 0; at < incoming.rawHeaders.length; at += 2)
    lines.push(`${incoming.rawHeaders[at]}: ${incoming.rawHeaders[at + 1]}`);
  out.write(`${lines.join('\r\n')}\r\n\r\n`);
  out.write(head);
  socket.pipe(out).pipe(socket);
}
