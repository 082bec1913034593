/** The machine's engine behind a socket that a test can take away. */
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export class EngineRelay {
  readonly address: string;
  readonly #folder: string;
  readonly #engine: string;
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;

  private constructor(folder: string, engine: string) {
    this.#folder = folder;
    this.#engine = engine;
    this.address = `unix://${join(folder, 'engine.sock')}`;
  }

  static async open(engine = '/var/run/docker.sock'): Promise<EngineRelay> {
    const relay = new EngineRelay(await mkdtemp(join(tmpdir(), 'davit-relay-')), engine);
    await relay.mend();
    return relay;
  }

  /** The engine is there. */
  async mend(): Promise<void> {
    const server = createServer((inner) => {
      const outer = connect(this.#engine);
      for (const [one, other] of [
        [inner, outer],
        [outer, inner],
      ] as const) {
        this.#sockets.add(one);
        one
          .on('error', () => other.destroy())
          .on('close', () => {
            this.#sockets.delete(one);
            other.destroy();
          });
        one.pipe(other);
      }
    });
    this.#server = server;
    await new Promise<void>((resolve) => void server.listen(join(this.#folder, 'engine.sock'), resolve));
  }

  /** The engine is away: connections break, and new ones are refused. */
  async cut(): Promise<void> {
    const server = this.#server;
    const closed = new Promise<void>((resolve) => void server?.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  async close(): Promise<void> {
    await this.cut();
    await rm(this.#folder, { recursive: true, force: true });
  }
}
