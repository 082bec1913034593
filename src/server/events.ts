/** Server-sent events (WHATWG HTML, "Server-sent events"), with back-pressure and keep-alive comments. */
import { once } from 'node:events';
import type { FastifyReply, FastifyRequest } from 'fastify';

const ALIVE_MS = 15_000;
const RECONNECT_MS = 1_000;

export interface EventStream {
  /** Aborted when the reader is gone. */
  readonly gone: AbortSignal;
  /** Waits while the reader is behind; rejects if it is gone. */
  send(event: string, data: unknown, id?: number): Promise<void>;
  end(): void;
}

/** Takes over the response: the route may not send anything else. */
export function eventStream(reply: FastifyReply): EventStream {
  const gone = new AbortController();
  const { raw } = reply;
  reply.header('content-type', 'text/event-stream; charset=utf-8').header('x-accel-buffering', 'no');
  const headers = Object.fromEntries(
    Object.entries(reply.getHeaders()).flatMap(([key, value]) =>
      value === undefined ? [] : [[key, String(value)]],
    ),
  );
  reply.hijack();
  raw.writeHead(200, headers);
  raw.write(`retry: ${RECONNECT_MS}\n\n`);
  const alive = setInterval(() => raw.write(': alive\n\n'), ALIVE_MS);
  raw.once('close', () => {
    clearInterval(alive);
    gone.abort();
  });
  return {
    gone: gone.signal,
    async send(event, data, id) {
      gone.signal.throwIfAborted();
      const name = id === undefined ? '' : `id: ${id}\n`;
      // JSON text has no line breaks, so one data line is enough.
      if (!raw.write(`${name}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`))
        await once(raw, 'drain', { signal: gone.signal });
    },
    end: () => void raw.end(),
  };
}

/** The last event id of a reader that reconnects, if it is a valid number. */
export function lastEventId(request: FastifyRequest): number | undefined {
  const id = request.headers['last-event-id'];
  return typeof id === 'string' && /^\d{1,15}$/.test(id) ? Number(id) : undefined;
}
