import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';

/**
 * Below the ports that the system gives to connections: a free one is not taken by a connection before it is
 * used.
 */
const FIRST_PORT = 12_000;
const PORTS = 20_000;

/** A free port of the loopback. Below 32768, so that PostgreSQL's SMALLINT holds it (Temporal's members). */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST_PORT + randomInt(PORTS);
    const server = createServer().listen(port, '127.0.0.1');
    try {
      await once(server, 'listening');
    } catch {
      continue; // taken
    }
    server.close();
    await once(server, 'close');
    return port;
  }
}
