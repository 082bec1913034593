/** A server and a registry that believes its tokens, as `davit up` starts them. */
import { httpStores, type HttpStores } from '../../src/adapters/http/index.ts';
import type { JobUse } from '../../src/adapters/ports.ts';
import { makeSelfSigned } from '../../src/local/authority/certificates.ts';
import { TOKEN_PATH } from '../../src/server/registry/token-path.ts';
import { tokenSigner } from '../../src/server/registry/token-signer.ts';
import { freePort } from './port.ts';
import { startRegistry, type TestRegistry } from './registry.ts';
import { testServer, TOKENS, type TestServer } from './server.ts';

export interface OwnRegistryWorld {
  server: TestServer;
  registry: TestRegistry;
  url: string;
  /** The server's stores, as a worker reaches them. */
  stores: HttpStores;
  /** An attempt whose log is open. */
  job(project: string, more?: Partial<JobUse['job']>): Promise<JobUse>;
  /** Closes its log: the attempt is over. */
  end(use: JobUse): Promise<void>;
  /** The token that a password gets for these scopes; undefined if it is refused. */
  token(password: string | undefined, scopes: readonly string[]): Promise<string | undefined>;
  close(): Promise<void>;
}

export async function ownRegistryWorld(
  options: { projects?: unknown[]; workers?: unknown[]; secrets?: Record<string, string> } = {},
): Promise<OwnRegistryWorld> {
  const { key, certificate } = await makeSelfSigned('davit registry');
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const registry = await startRegistry({ tokens: { realm: `${url}${TOKEN_PATH}`, certificate } });
  const { host } = registry;
  const server = await testServer({
    ...options,
    ownRegistry: { host, signer: tokenSigner(key + certificate) },
  });
  await server.app.listen({ port, host: '127.0.0.1' });
  const stores = httpStores({ url, workerToken: TOKENS.worker });
  let jobs = 0;
  return {
    server,
    registry,
    url,
    stores,
    async job(project, more = {}) {
      jobs += 1;
      const attempt = { pipeline: `${project}/${jobs}`, job: 'a job', attempt: 1 } as const;
      await stores.logs.open(attempt, 1);
      return { job: { project, protectedRef: false, fork: false, ...more }, attempt, forMs: 60_000 };
    },
    async end({ attempt }) {
      const { offset, crc } = (await stores.logs.state(attempt)) ?? { offset: 0, crc: 0 };
      const summary = { bytes: offset, crc: crc.toString(16).padStart(8, '0'), complete: true };
      await stores.logs.end(attempt, { epoch: 1, summary });
    },
    async token(password, scopes) {
      const query = new URLSearchParams({ service: 'davit-registry' });
      for (const scope of scopes) query.append('scope', scope);
      const basic = Buffer.from(`any-name:${password}`).toString('base64');
      const reply = await fetch(`${url}${TOKEN_PATH}?${query.toString()}`, {
        headers: password === undefined ? {} : { authorization: `Basic ${basic}` },
      });
      const body: unknown = await reply.json();
      if (reply.status === 401) return undefined;
      if (reply.status !== 200 || typeof body !== 'object' || body === null || !('token' in body))
        throw new Error(`${reply.status} ${JSON.stringify(body)}`);
      return String(body.token);
    },
    async close() {
      await Promise.all([stores.close(), server.close(), registry.stop()]);
    },
  };
}
