/** One process at a time writes a folder, because each trusts what it has in memory. */
import { realpath } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { DavitError } from '../../errors.ts';
import { systemCode } from './files.ts';
import { sha256 } from '../../utils/sha256.ts';

/**
 * Takes the folder until the returned function is called or the process ends, in any way. Uses a socket in
 * Linux's abstract namespace, which the kernel frees with the process; other systems have no such namespace,
 * and no lock.
 */
export async function takeFolder(folder: string): Promise<() => Promise<void>> {
  if (process.platform !== 'linux') return async () => {};
  const name = sha256(await realpath(folder)).slice(0, 40);
  const server: Server = createServer((socket) => socket.destroy()).unref();
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) =>
      reject(
        systemCode(error) === 'EADDRINUSE'
          ? new DavitError('store/in-use', `Another server uses the data in ${folder}.`)
          : error,
      ),
    );
    server.listen(`\0davit-data-${name}`, resolve);
  });
  return () => new Promise((resolve) => void server.close(() => resolve()));
}
