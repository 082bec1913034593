/**
 * A stand-in for an engine that no package has any more: the engine of a machine, with another version in what it says of
 * itself.
 */
import type { Machine } from './machine.ts';
import { INSIDE } from './space.ts';

const SOCKET = `${INSIDE}/old-engine.sock`;

/** Returns its address. */
export async function oldEngine(machine: Machine, version: string): Promise<string> {
  const program = `
    const { createServer, request } = require('node:http');
    createServer((asked, reply) => {
      const { method, url, headers } = asked;
      const out = request({ socketPath: '/var/run/docker.sock', method, path: url, headers, agent: false }, (answer) => {
        if (!/\\/(?:version|info)(?:\\?|$)/.test(url)) {
          reply.writeHead(answer.statusCode, answer.headers);
          return answer.pipe(reply);
        }
        let text = '';
        answer.setEncoding('utf8').on('data', (part) => (text += part)).on('end', () => {
          const said = JSON.parse(text);
          if (said.Version) said.Version = '${version}';
          if (said.ServerVersion) said.ServerVersion = '${version}';
          for (const part of said.Components ?? []) if (part.Name === 'Engine') part.Version = '${version}';
          reply.writeHead(answer.statusCode, { 'content-type': 'application/json' }).end(JSON.stringify(said));
        });
      });
      out.on('error', () => reply.destroy());
      asked.pipe(out);
    }).listen('${SOCKET}');`;
  await machine.run('rm', '-f', SOCKET);
  await machine.space.start('old-engine', [process.execPath, '-e', program]);
  return `unix://${SOCKET}`;
}
