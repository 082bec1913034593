/** A real https server of files, with its own authority that nothing else trusts. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface HttpsFiles {
  /** `https://localhost:PORT/` */
  url: string;
  port: number;
  caFile: string;
  /** The response for each path. */
  files: Map<string, string | ((response: ServerResponse) => void)>;
  /** Requested paths with their headers. */
  asked: { path: string; headers: NodeJS.Dict<string | string[]> }[];
  close(): Promise<void>;
}

/** openssl creates the certificates in `folder`: an authority, and a server's for localhost. */
export async function httpsFiles(folder: string): Promise<HttpsFiles> {
  const at = (name: string): string => join(folder, name);
  const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  await run('openssl', [
    'req',
    '-x509',
    ...ec,
    '-subj',
    '/CN=authority',
    '-keyout',
    at('ca.key'),
    '-out',
    at('ca.pem'),
  ]);
  await run('openssl', [
    ...['req', '-x509', ...ec, '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'],
    ...['-CA', at('ca.pem'), '-CAkey', at('ca.key'), '-keyout', at('key.pem'), '-out', at('cert.pem')],
  ]);
  const files: HttpsFiles['files'] = new Map();
  const asked: HttpsFiles['asked'] = [];
  const server: Server = createServer(
    { key: await readFile(at('key.pem')), cert: await readFile(at('cert.pem')) },
    (request, response) => {
      const path = request.url ?? '/';
      asked.push({ path, headers: request.headers });
      const answer = files.get(path);
      if (typeof answer === 'function') answer(response);
      else response.writeHead(answer === undefined ? 404 : 200).end(answer);
    },
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `https://localhost:${port}/`,
    port,
    caFile: at('ca.pem'),
    files,
    asked,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
