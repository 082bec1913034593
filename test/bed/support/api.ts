/**
 * The API of the bed's server, for the test itself, which is in another network: through a socket in the folder of the
 * head. A command of davit for each question would take most of a busy machine.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Agent, fetch } from 'undici';
import { INSIDE, type Space } from './space.ts';

const SOCKET = 'api.sock';

/** Takes connections on the socket, and opens one with TLS for each. */
export async function openDoor(head: Space, port: number): Promise<void> {
  const program = `
    const { createServer } = require('node:net');
    const { connect } = require('node:tls');
    createServer((from) => {
      // The authority is the bed's own, and the connection stays on this machine.
      const to = connect({ host: '127.0.0.1', port: ${port}, rejectUnauthorized: false });
      from.on('error', () => to.destroy());
      to.on('error', () => from.destroy());
      from.pipe(to).pipe(from);
    }).listen('${INSIDE}/${SOCKET}');`;
  await head.start('door', [process.execPath, '-e', program]);
}

export interface Reply {
  status: number;
  text: string;
}

/** `home`: below the folder of the head. Status 0: the server did not answer. */
export async function askServer(head: Space, home: string, path: string, json?: unknown): Promise<Reply> {
  const dispatcher = new Agent({ connect: { socketPath: join(head.folder, SOCKET) } });
  try {
    const token = await readFile(join(head.folder, home, 'keys', 'cli-token'), 'utf8');
    const reply = await fetch(`http://davit${path}`, {
      dispatcher,
      headers: { authorization: `Bearer ${token.trim()}`, 'content-type': 'application/json' },
      ...(json !== undefined && { method: 'POST', body: JSON.stringify(json) }),
    });
    return { status: reply.status, text: await reply.text() };
  } catch (error) {
    return { status: 0, text: String(error) };
  } finally {
    await dispatcher.destroy();
  }
}
