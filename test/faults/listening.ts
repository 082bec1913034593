/** What every proxy of a border does alike. */
import { once } from 'node:events';
import type { ListenOptions, Server } from 'node:net';
import type { Border } from './border.ts';

export interface Proxy {
  border: Border;
  close(): Promise<void>;
}

/** Resolves when the server listens; the end of the proxy ends every connection. */
export async function listening(border: Border, server: Server, at: ListenOptions): Promise<Proxy> {
  server.listen(at);
  await once(server, 'listening');
  return {
    border,
    close: () => {
      border.open();
      border.destroyAll();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

/** A step of a pipeline: chunks wait while nothing passes. */
export const throughBorder = (border: Border) =>
  async function* (chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of chunks) {
      await border.passable();
      yield chunk;
    }
  };
