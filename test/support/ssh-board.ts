/**
 * A board that is reached over ssh: an ssh server (ssh2) in front of this machine's engine. The client is the
 * real OpenSSH.
 */
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { createConnection, createServer, type AddressInfo } from 'node:net';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ssh2, { type Connection } from 'ssh2';

export interface Board {
  address: string;
  /** known_hosts with this board's key, and one with another. */
  knownHosts: string;
  wrongHosts: string;
  connections(): number;
  /** Number of open connections. */
  open(): number;
  /**
   * Loopback ports of the board that the client forwards, by number: a connection reaches the client's own
   * port.
   */
  reverse(port: number): number | undefined;
  /** Breaks every connection. */
  cut(): void;
  stop(): Promise<void>;
}

const key = (): string =>
  generateKeyPairSync('rsa', { modulusLength: 2048 })
    .privateKey.export({ type: 'pkcs1', format: 'pem' })
    .toString();

export async function startBoard(engineSocket: string): Promise<Board> {
  const [own, other] = [key(), key()];
  const clients = new Set<Connection>();
  const reverse = new Map<number, number>();
  let count = 0;
  const server = new ssh2.Server({ hostKeys: [own] }, (client) => {
    count += 1;
    clients.add(client);
    client.on('authentication', (asked) => asked.accept());
    client.on('error', () => {});
    client.on('close', () => clients.delete(client));
    client.on('openssh.streamlocal', (accept) => {
      const channel = accept();
      const engine = createConnection(engineSocket);
      engine.on('error', () => channel.destroy());
      channel.on('error', () => engine.destroy());
      channel.pipe(engine).pipe(channel);
    });
    client.on('request', (accept, reject, name, info) => {
      if (name !== 'tcpip-forward' || !('bindPort' in info)) return reject?.();
      const listener = createServer((socket) => {
        client.forwardOut('127.0.0.1', info.bindPort, '127.0.0.1', 1, (error, channel) => {
          if (error) socket.destroy();
          else channel.pipe(socket).pipe(channel);
        });
      }).listen(0, '127.0.0.1', () => {
        reverse.set(info.bindPort, (listener.address() as AddressInfo).port);
        accept?.();
      });
      client.on('close', () => listener.close());
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const folder = await mkdtemp(join(tmpdir(), 'davit-test-board-'));
  const known = async (name: string, pem: string): Promise<string> => {
    const parsed = ssh2.utils.parseKey(pem);
    if (parsed instanceof Error) throw parsed;
    const line = `[127.0.0.1]:${port} ssh-rsa ${parsed.getPublicSSH().toString('base64')}\n`;
    await writeFile(join(folder, name), line);
    return join(folder, name);
  };
  return {
    address: `ssh://pi@127.0.0.1:${port}`,
    knownHosts: await known('known', own),
    wrongHosts: await known('wrong', other),
    connections: () => count,
    open: () => clients.size,
    reverse: (asked) => reverse.get(asked),
    cut: () => {
      for (const client of clients) client.end();
    },
    async stop() {
      for (const client of clients) client.end();
      server.close();
      await rm(folder, { recursive: true });
    },
  };
}
