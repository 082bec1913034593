/**
 * The lists of protected refs of a forge, over HTTP: documents of test/fixtures/forge, paged as the forge pages them. It keeps
 * every request, and can be away, refuse, or answer something else.
 */
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ForgeKind } from '../../src/adapters/forge/project-api.ts';

type Lists = Record<string, unknown>;
export interface TestForge {
  url: string;
  /** Paths with their query, in order. */
  requests: string[];
  tokens: Set<string>;
  lists: Lists;
  /** Answers with this status; 200 is as usual. */
  status: number;
  /** Entries of one page. */
  page: number;
  close(): Promise<void>;
}

const BASES: Record<ForgeKind, string> = {
  gitlab: '/api/v4/projects/group%2Ftable',
  gitea: '/api/v1/repos/group/table',
  github: '/api/v3/repos/group/table',
};

export async function testForge(kind: ForgeKind): Promise<TestForge> {
  const file = new URL(`../fixtures/forge/${kind}.json`, import.meta.url);
  const lists: Lists = JSON.parse(await readFile(file, 'utf8'));
  const server = createServer((request, response) => answer(forge, BASES[kind], { request, response }));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const forge: TestForge = {
    url: `http://127.0.0.1:${port}`,
    requests: [],
    tokens: new Set(),
    lists,
    status: 200,
    page: 100,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return forge;
}

interface Exchange {
  request: IncomingMessage;
  response: ServerResponse;
}

function answer(forge: TestForge, base: string, { request, response }: Exchange): void {
  const url = new URL(request.url ?? '', forge.url);
  forge.requests.push(`${url.pathname}${url.search}`);
  forge.tokens.add(String(request.headers['private-token'] ?? request.headers.authorization));
  const path = url.pathname.startsWith(base) ? url.pathname.slice(base.length + 1) : undefined;
  const found = path === undefined ? undefined : documentAt(forge.lists, path);
  const status = forge.status === 200 && found === undefined ? 404 : forge.status;
  if (status !== 200) {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ message: 'canary of the forge' }));
    return;
  }
  const asked = url.searchParams.get('page');
  const page = Number(asked ?? '1');
  const part =
    Array.isArray(found) && asked !== null ? found.slice((page - 1) * forge.page, page * forge.page) : found;
  const more = Array.isArray(found) && asked !== null && page * forge.page < found.length;
  // The address leads elsewhere: nobody may follow it with a token.
  const link = `<http://127.0.0.1:9/?page=${page + 1}>; rel="next", <http://127.0.0.1:9/?page=9>; rel="last"`;
  response.writeHead(200, { 'content-type': 'application/json', ...(more && { link }) });
  response.end(JSON.stringify(part));
}

function documentAt(lists: Lists, path: string): unknown {
  if (path === '') return lists.repository;
  const id = /^rulesets\/(\d+)$/.exec(path)?.[1];
  if (id === undefined) return lists[path];
  const { rulesets } = lists;
  return Array.isArray(rulesets) ? rulesets.find((one) => String(one.id) === id) : undefined;
}
