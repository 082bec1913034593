/**
 * The authority that has signed the server's certificate, for those who trust the well-known ones alone: the containers
 * of jobs.
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connect } from 'node:tls';

const CHECK_MS = 5_000;
/** A server that was not there, or had another certificate, is asked again after this time. */
const AGAIN_MS = 60_000;

/** Undefined: this machine knows no authority of davit's own. */
export const authorityFile = ({
  caFile,
  home,
}: {
  caFile?: string | undefined;
  home: string;
}): string | undefined => {
  const own = join(home, 'ca', 'ca.crt');
  return caFile ?? (existsSync(own) ? own : undefined);
};

/**
 * PEM, where that authority alone verifies the address. Undefined for plain http, for a certificate of a well-known
 * authority, and as long as the server does not answer there: a job then has what its image trusts.
 */
export function serverAuthority(
  file: string | undefined,
  address: string,
): () => Promise<string | undefined> {
  let last: { at: number; pem: Promise<string | undefined> } | undefined;
  return async () => {
    if (file === undefined || !/^https:/.test(address)) return undefined;
    if (!last || Date.now() - last.at > AGAIN_MS) last = { at: Date.now(), pem: verified(file, address) };
    return last.pem;
  };
}

async function verified(file: string, address: string): Promise<string | undefined> {
  try {
    const pem = await readFile(file, 'utf8');
    return (await isVerifiedBy(pem, new URL(address))) ? pem : undefined;
  } catch {
    return undefined; // the file is gone, or has no certificate: the worker's own calls say so
  }
}

function isVerifiedBy(pem: string, { hostname, port }: URL): Promise<boolean> {
  const host = hostname.replace(/^\[|\]$/g, '');
  return new Promise((resolve) => {
    const socket = connect({
      host,
      port: port === '' ? 443 : Number(port),
      ca: [pem],
      ...(/^[\d.]+$|:/.test(host) ? {} : { servername: host }),
    });
    const end = (is: boolean): void => {
      socket.destroy();
      resolve(is);
    };
    socket.setTimeout(CHECK_MS, () => end(false));
    socket.once('secureConnect', () => end(socket.authorized));
    socket.once('error', () => end(false));
  });
}
