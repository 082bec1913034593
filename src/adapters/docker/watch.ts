/** A connection to the engine that breaks when the engine, or its machine, restarts. */
import { IncomingMessage } from 'node:http';
import { path, type Call, type EngineApi } from './api.ts';

/** How soon a connection over a network is known to be dead: a machine that has restarted refuses the probe. */
const PROBE_MS = 5_000;
/** No object has this label: the engine says nothing. */
const NOTHING = JSON.stringify({ label: ['davit.none=none'] });

/** Rejects with `engine/*` if there is no connection. `broken` never rejects. */
export async function watch(api: EngineApi, signal: AbortSignal): Promise<{ broken: Promise<void> }> {
  const call: Call = {
    method: 'GET',
    path: path`/events`,
    query: { filters: NOTHING },
    action: 'watch the engine',
    signal,
  };
  const stream = await api.stream(call);
  if (stream instanceof IncomingMessage) stream.socket.setKeepAlive(true, PROBE_MS);
  const { promise: broken, resolve } = Promise.withResolvers<void>();
  stream.on('error', () => resolve()); // the break is the news, whatever its reason
  stream.on('close', () => resolve());
  stream.resume();
  return { broken };
}
