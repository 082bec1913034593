/** Takes commit statuses over HTTP as a forge does, and can be away, refuse, or be slow. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import type { ForgeKind } from '../../src/adapters/forge/project-api.ts';

export interface TakenStatus {
  sha: string;
  context: string;
  state: string;
  description: string;
  ref: string | undefined;
}
export class StatusForge {
  readonly kind: ForgeKind;
  /** In the order in which they were taken. */
  readonly taken: TakenStatus[] = [];
  /** Requests that came, taken or not. */
  asked = 0;
  /** Requests at the same time, at most. */
  most = 0;
  /** Answered instead of 201. */
  status = 201;
  message = 'refused by the test';
  slowMs = 0;
  #now = 0;
  #server: Server | undefined;
  #port = 0;

  constructor(kind: ForgeKind) {
    this.kind = kind;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Starts, or comes back at the same address. */
  async start(): Promise<this> {
    const server = createServer((request, response) => {
      this.#answer(request, response).catch((error: unknown) => response.destroy(error as Error));
    });
    this.#server = server;
    server.listen(this.#port, '127.0.0.1');
    await once(server, 'listening');
    this.#port = (server.address() as AddressInfo).port;
    return this;
  }

  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (!server) return;
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  }

  /** The status that a person sees. */
  seen(sha: string, context: string): TakenStatus | undefined {
    return this.taken.findLast((one) => one.sha === sha && one.context === context);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.asked += 1;
    this.#now += 1;
    this.most = Math.max(this.most, this.#now);
    try {
      const body = (await json(request)) as Record<string, string>;
      if (this.slowMs > 0) await new Promise((resolve) => setTimeout(resolve, this.slowMs));
      const sha = /\/statuses\/([0-9a-f]+)$/.exec(request.url ?? '')?.[1] ?? '';
      const { state = '', description = '', ref } = body;
      const context = body.context ?? body.name ?? '';
      const { status, message } = this.#verdict(sha, context, state);
      if (status === 201) this.taken.push({ sha, context, state, description, ref });
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify({ message }));
    } finally {
      this.#now -= 1;
    }
  }

  /** GitLab: `CommitStatus` goes from pending to running, and from both to an end; after an end comes a new status. */
  #verdict(sha: string, context: string, state: string): { status: number; message: string } {
    if (this.status !== 201) return { status: this.status, message: this.message };
    const before = this.seen(sha, context)?.state;
    const open = before === 'pending' || before === 'running';
    const repeats = state === 'pending' ? open : state === 'running' && before === 'running';
    const skips = state === 'skipped' && before === 'running';
    if (this.kind === 'gitlab' && (repeats || skips))
      return { status: 400, message: `Cannot transition status via :x from :${before}` };
    return { status: 201, message: '' };
  }
}
