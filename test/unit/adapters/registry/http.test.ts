/** How a hostile or failing registry is handled. The registries here are small servers. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { afterEach, describe, expect, test } from 'vitest';
import { digestOf } from '../../../../src/adapters/registry/manifest.ts';
import { registryClient } from '../../../../src/adapters/registry/index.ts';

const AUTH = { username: 'robot', password: 'canary-password' };
const MANIFEST = JSON.stringify({
  schemaVersion: 2,
  mediaType: 'application/vnd.oci.image.manifest.v1+json',
});
const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close().closeAllConnections();
});

interface Seen {
  url: string;
  authorization?: string;
}
async function serve(answer: (ask: IncomingMessage, reply: ServerResponse, count: number) => void) {
  const seen: Seen[] = [];
  const server = createServer((ask, reply) => {
    seen.push({ url: ask.url ?? '', authorization: ask.headers.authorization });
    answer(ask, reply, seen.length);
  }).listen(0, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return { host: `127.0.0.1:${address.port}`, seen };
}
const basic = `Basic ${Buffer.from(`${AUTH.username}:${AUTH.password}`).toString('base64')}`;
const client = (host: string, patienceMs = 0) =>
  registryClient({ host, insecure: false, auth: AUTH, patienceMs });

describe('credentials', () => {
  test('are not sent before a challenge, then only Basic to the registry itself', async () => {
    const { host, seen } = await serve((ask, reply) => {
      if (ask.headers.authorization === basic) reply.end(MANIFEST);
      else reply.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
    });
    const registry = client(host);
    expect(await registry.manifest('a/b', '1')).toMatchObject({ digest: digestOf(Buffer.from(MANIFEST)) });
    await registry.manifest('a/b', '1');
    expect(seen.map(({ authorization }) => authorization)).toEqual([undefined, basic, basic]);
  });

  test('do not follow a redirect to another port', async () => {
    const other = await serve((_, reply) => reply.end(MANIFEST));
    const { host } = await serve((ask, reply) => {
      if (ask.headers.authorization !== basic)
        reply.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
      else reply.writeHead(307, { location: `http://${other.host}/v2/a/b/manifests/1` }).end();
    });
    await expect(client(host).manifest('a/b', '1')).rejects.toMatchObject({ code: 'registry/failed' });
    expect(other.seen).toEqual([]);
  });

  test('do not go to an untrusted token service', async () => {
    const { host, seen } = await serve((_, reply) =>
      reply.writeHead(401, { 'www-authenticate': 'Bearer realm="http://192.0.2.1/token",service="x"' }).end(),
    );
    await expect(client(host).manifest('a/b', '1')).rejects.toMatchObject({
      code: 'registry/denied',
      message: expect.stringMatching(/not trusted; no credentials were sent/),
    });
    expect(seen.every(({ authorization }) => authorization === undefined)).toBe(true);
  });
});

describe('tokens', () => {
  async function withTokens(grant: (scope: string) => string) {
    const tokens = await serve((ask, reply) => {
      const scope = new URL(ask.url ?? '', 'http://x').searchParams.get('scope') ?? '';
      reply.end(JSON.stringify({ token: grant(scope), expires_in: 300 }));
    });
    const registry = await serve((ask, reply) => {
      const scope = `repository:a/b:${ask.method === 'GET' ? 'pull' : 'pull,push'}`;
      if (ask.headers.authorization === `Bearer t-${scope}`) return reply.end(MANIFEST);
      return reply
        .writeHead(401, {
          'www-authenticate': `Bearer realm="http://${tokens.host}/t",service="r",scope="${scope}"`,
        })
        .end();
    });
    return { registry, tokens };
  }

  test('are fetched once a scope, with the credentials, and used', async () => {
    const { registry, tokens } = await withTokens((scope) => `t-${scope}`);
    const one = client(registry.host);
    await one.manifest('a/b', '1');
    await one.manifest('a/b', '1');
    expect(tokens.seen).toEqual([
      { url: '/t?service=r&scope=repository%3Aa%2Fb%3Apull', authorization: basic },
    ]);
    expect(registry.seen.some(({ authorization }) => authorization === basic)).toBe(false);
  });

  test('without a scope are registry/denied, naming it', async () => {
    const { registry } = await withTokens((scope) => (scope.includes('push') ? 'less' : `t-${scope}`));
    const entries = [
      { digest: digestOf(Buffer.from(MANIFEST)), platform: { os: 'linux', architecture: 'amd64' } as const },
    ];
    await expect(client(registry.host).putIndex('a/b', entries, [], {})).rejects.toMatchObject({
      code: 'registry/denied',
      message: expect.stringMatching(/repository:a\/b:pull,push(?!.*canary)/s),
    });
  });
});

describe('a registry with errors', () => {
  test('is retried for 429 and 5xx, after the time it names', async () => {
    const { host, seen } = await serve((_, reply, count) => {
      if (count === 1) reply.writeHead(503).end();
      else if (count === 2) reply.writeHead(429, { 'retry-after': '1' }).end();
      else reply.end(MANIFEST);
    });
    const began = performance.now();
    await client(host, 20_000).manifest('a/b', '1');
    expect(seen).toHaveLength(3);
    expect(performance.now() - began).toBeGreaterThan(1_000);
  });

  test('is abandoned in time, and at once for an hour of Retry-After', async () => {
    const { host } = await serve((_, reply) =>
      reply.writeHead(429, { 'retry-after': '3600' }).end('slow down'),
    );
    await expect(client(host, 20_000).manifest('a/b', '1')).rejects.toMatchObject({
      code: 'registry/unreachable',
      message: expect.stringContaining('slow down'),
    });
  });

  test('that returns other bytes than the digest, or endless ones, is registry/failed', async () => {
    const { host } = await serve((ask, reply) => {
      if (ask.url?.includes('sha256')) return reply.end(MANIFEST);
      for (let i = 0; i < 9; i += 1) reply.write(Buffer.alloc(1024 * 1024, 32));
      return reply.end();
    });
    const registry = client(host);
    const failed = { code: 'registry/failed' };
    await expect(registry.manifest('a/b', `sha256:${'0'.repeat(64)}`)).rejects.toMatchObject(failed);
    await expect(registry.manifest('a/b', '1')).rejects.toMatchObject(failed);
  });

  test('invalid names never reach it', async () => {
    const { host, seen } = await serve((_, reply) => reply.end(MANIFEST));
    await expect(client(host).manifest('../x', '1')).rejects.toMatchObject({ code: 'registry/name' });
    await expect(client(host).manifest('a', '1?x=y')).rejects.toMatchObject({ code: 'registry/name' });
    expect(seen).toEqual([]);
  });
});
