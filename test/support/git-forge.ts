/** A forge's repositories over http, by git's own server program; every request needs the forge's account. */
import { spawn } from 'node:child_process';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { LfsForge } from './lfs-server.ts';

export interface GitForge {
  url: string;
  /** Requests that came without the account. */
  refused: number;
  close(): Promise<void>;
}

/** `root`: folder of bare repositories, `NAME.git`. An address without `.git` is redirected elsewhere. `lfs`: has an account of its own. */
export async function gitForge(
  root: string,
  account: { username: string; password: string },
  lfs?: Pick<LfsForge, 'handles' | 'handle'>,
): Promise<GitForge> {
  const basic = `Basic ${Buffer.from(`${account.username}:${account.password}`).toString('base64')}`;
  const server = createServer((request, reply) => {
    if (lfs?.handles(request)) return void lfs.handle(request, reply, forge.url);
    const url = new URL(request.url ?? '/', 'http://forge.test');
    if (request.headers.authorization !== basic) {
      forge.refused += 1;
      reply.writeHead(401, { 'www-authenticate': 'Basic realm="forge"' }).end();
    } else if (!url.pathname.includes('.git/'))
      reply.writeHead(301, { location: 'http://127.0.0.1:1/' }).end();
    else backend(root, { request, reply, url });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const forge: GitForge = {
    url: `http://127.0.0.1:${port}`,
    refused: 0,
    close: () => new Promise((resolve) => void server.close(() => resolve())),
  };
  return forge;
}

/** One request by `git http-backend` (CGI, RFC 3875). */
function backend(
  root: string,
  { request, reply, url }: { request: IncomingMessage; reply: ServerResponse; url: URL },
): void {
  const { headers, method } = request;
  const child = spawn('git', ['http-backend'], {
    env: {
      ...process.env,
      GIT_PROJECT_ROOT: root,
      GIT_HTTP_EXPORT_ALL: '1',
      REMOTE_USER: 'forge',
      PATH_INFO: url.pathname,
      QUERY_STRING: url.search.slice(1),
      REQUEST_METHOD: method,
      CONTENT_TYPE: headers['content-type'] ?? '',
      ...(typeof headers['git-protocol'] === 'string' && { GIT_PROTOCOL: headers['git-protocol'] }),
      ...(headers['content-encoding'] && { HTTP_CONTENT_ENCODING: headers['content-encoding'] }),
    },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  request.pipe(child.stdin);
  const parts: Buffer[] = [];
  child.stdout.on('data', (part: Buffer) => parts.push(part));
  child.once('close', () => {
    const all = Buffer.concat(parts);
    const end = all.indexOf('\r\n\r\n');
    const lines = all.subarray(0, end).toString().split('\r\n');
    const found = Object.fromEntries(lines.map((line) => line.split(/:\s*/, 2)));
    const { Status: status = '200', ...rest } = found as Record<string, string>;
    reply.writeHead(Number.parseInt(status, 10), rest).end(all.subarray(end + 4));
  });
}
