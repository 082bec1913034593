/** TLS of the server: the certificate of the installation file, reloaded when it changes. */
import { X509Certificate } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { Server } from 'node:https';
import { isIP } from 'node:net';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { DavitError } from '../errors.ts';
import type { Installation } from '../installation.ts';
import { messageOf } from '../utils/message.ts';
import type { ServerLog } from './log.ts';

const RELOAD_MS = 10_000;
const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[?::1\]?)$/i;

type TlsFiles = NonNullable<Installation['tls']>;
export type ServerTls = Required<Pick<SecureContextOptions, 'cert' | 'key' | 'minVersion'>>;

/** Rejects with `tls/file` if a file is missing, or the two do not belong together. */
export async function readTls({ cert, key }: TlsFiles): Promise<ServerTls> {
  const read = async (path: string): Promise<Buffer> => {
    try {
      return await readFile(path);
    } catch (cause) {
      throw new DavitError('tls/file', `${path} cannot be read.`, { cause });
    }
  };
  const tls: ServerTls = { cert: await read(cert), key: await read(key), minVersion: 'TLSv1.2' };
  try {
    createSecureContext(tls);
  } catch (cause) {
    throw new DavitError('tls/file', `${cert} and ${key} are not a certificate and its key.`, { cause });
  }
  return tls;
}

/** Tokens and secrets would be readable in the network. Throws `server/plain-http`. */
export function refusePlainHttp(host: string, { tls, listen }: Pick<Installation, 'tls' | 'listen'>): void {
  if (tls || listen.insecure || LOOPBACK.test(host)) return;
  throw new DavitError(
    'server/plain-http',
    `The server would listen on ${host} without TLS: everybody in that network could read tokens and secrets.`,
  );
}

/** Why clients that call the server by its `url` would refuse the certificate; undefined if they would not. */
export function certificateProblem({ cert }: ServerTls, url: string | undefined): string | undefined {
  const certificate = new X509Certificate(cert as Buffer);
  const ends = new Date(certificate.validTo);
  if (ends.getTime() < Date.now()) return `the certificate has ended on ${certificate.validTo}`;
  if (url === undefined || !URL.canParse(url)) return undefined;
  const host = new URL(url).hostname.replace(/^\[|\]$/g, '');
  const isValid = isIP(host) ? certificate.checkIP(host) : certificate.checkHost(host);
  return isValid === undefined ? `the certificate is not valid for ${host} of url` : undefined;
}

/**
 * Looks at the files now and then; a changed pair counts for new connections. A pair that cannot be read, or is
 * only half there, changes nothing until it can.
 */
export function reloadTls(
  server: unknown,
  files: TlsFiles,
  { log, everyMs = RELOAD_MS }: { log: ServerLog; everyMs?: number },
): { stop(): void } {
  if (!(server instanceof Server)) return { stop: () => undefined };
  let seen: string | undefined;
  let looking = false;
  const look = async (): Promise<void> => {
    if (looking) return;
    looking = true;
    try {
      const stamp = await stampOf(files);
      if (seen !== undefined && stamp !== seen) {
        server.setSecureContext(await readTls(files));
        log.note('the certificate was reloaded');
      }
      seen = stamp;
    } catch (error) {
      log.warn('the certificate cannot be reloaded; the former one stays', { cause: messageOf(error) });
    } finally {
      looking = false;
    }
  };
  void look();
  const timer = setInterval(() => void look(), everyMs).unref();
  return { stop: () => clearInterval(timer) };
}

async function stampOf({ cert, key }: TlsFiles): Promise<string> {
  const stats = await Promise.all([stat(cert), stat(key)]);
  return stats.map(({ mtimeMs, ino, size }) => `${mtimeMs} ${ino} ${size}`).join();
}
