/** A TCP proxy on a free port that a test can cut and mend: the network between two processes. */
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

export interface Proxy {
  port: number;
  /** Breaks open connections, and refuses new ones. */
  cut(): void;
  /** Accepts connections again, to this port if given. */
  mend(port?: number): void;
  /** Number of connections so far. */
  connections(): number;
  close(): Promise<void>;
}

export async function startProxy(target: number): Promise<Proxy> {
  const sockets = new Set<Socket>();
  let open = true;
  let to = target;
  let count = 0;
  const server = createServer((inner) => {
    count += 1;
    if (!open) return void inner.resetAndDestroy();
    const outer = connect(to, '127.0.0.1');
    for (const [one, other] of [
      [inner, outer],
      [outer, inner],
    ] as const) {
      sockets.add(one);
      one
        .on('error', () => other.destroy())
        .on('close', () => {
          sockets.delete(one);
          other.destroy();
        });
      one.pipe(other);
    }
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const cut = (): void => {
    open = false;
    for (const socket of sockets) socket.resetAndDestroy();
  };
  return {
    port: (server.address() as AddressInfo).port,
    cut,
    mend: (port) => {
      to = port ?? to;
      open = true;
    },
    connections: () => count,
    close: () => {
      cut();
      return new Promise((resolve) => void server.close(() => resolve()));
    },
  };
}
