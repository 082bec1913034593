/**
 * `include: remote`: one small file over https from a server that a pipeline file names, which can be any
 * server.
 *
 * Not its role: caching, integrity. Invariants:
 *   REMOTE-1 A connection goes only to an address that was resolved and checked for that connection, so a
 *            name that changes between look-up and connect gains nothing.
 *   REMOTE-2 Every redirect is checked like the first address.
 *   REMOTE-3 Nothing is sent but the request itself: no credential, cookie, referrer or proxy of the
 *            environment.
 *   REMOTE-4 No message repeats a query or a body.
 */
import { lookup as dnsLookup, type LookupAddress } from 'node:dns';
import { readFile } from 'node:fs/promises';
import { isIP, type LookupFunction } from 'node:net';
import { rootCertificates } from 'node:tls';
import { Agent, request, type Dispatcher } from 'undici';
import { DavitError } from '../../errors.ts';
import { readBounded } from '../bounded.ts';
import { wildcardMatches } from '../../match/wildcard.ts';
import { VERSION } from '../../version.ts';
import type { RemoteFiles } from '../ports.ts';
import { isPublicAddress } from './public-address.ts';

const MAX_BYTES = 1024 * 1024;
const MAX_REDIRECTS = 3;
const TIMEOUT_MS = 10_000;

export interface RemoteOptions {
  /** `HOST` or `HOST:PORT`: these may have private addresses, and ports below 1024 other than 443. */
  allowHosts?: readonly string[];
  /** If set, no other host is allowed; `*` matches any text. */
  onlyHosts?: readonly string[];
  /** PEM of authorities in addition to the well-known ones. */
  caFile?: string;
  timeoutMs?: number;
  /** The machine's own, unless a test sets one. */
  lookup?: Lookup;
}
export type Lookup = (
  host: string,
  done: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

const systemLookup: Lookup = (host, done) => dnsLookup(host, { all: true, verbatim: true }, done);

export function remoteFiles(options: RemoteOptions = {}): RemoteFiles {
  return {
    async get(address, signal) {
      let url = new URL(address);
      for (let hop = 0; ; hop += 1) {
        if (hop > MAX_REDIRECTS) throw refused(`${shown(url)} redirects more than ${MAX_REDIRECTS} times.`);
        const answer = await getOnce(url, options, signal);
        if (!('to' in answer)) return answer.bytes;
        url = answer.to;
      }
    },
  };
}

type Fetched = { bytes: Uint8Array } | { to: URL };

async function getOnce(url: URL, options: RemoteOptions, signal: AbortSignal | undefined): Promise<Fetched> {
  const allowed = judge(url, options);
  const ca = await readCa(options.caFile);
  const timeout = AbortSignal.timeout(options.timeoutMs ?? TIMEOUT_MS);
  const both = signal ? AbortSignal.any([signal, timeout]) : timeout;
  const agent = new Agent({
    connect: {
      lookup: guarded(options.lookup ?? systemLookup, allowed),
      ...(ca !== undefined && { ca: [...rootCertificates, ca] }),
      timeout: TIMEOUT_MS,
    },
  });
  try {
    const answer = await request(url, {
      dispatcher: agent,
      signal: both,
      headers: { 'user-agent': `davit/${VERSION}`, accept: '*/*', 'accept-encoding': 'identity' },
    });
    return await read(url, answer);
  } catch (cause) {
    signal?.throwIfAborted();
    throw connectionError(url, cause, timeout.aborted);
  } finally {
    await agent.destroy();
  }
}

async function readCa(path: string | undefined): Promise<string | undefined> {
  if (path === undefined) return undefined;
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new DavitError('include/refused', `Cannot read includes.ca_file of the installation: ${path}.`, {
      cause,
    });
  }
}

/** Checks an address before it is resolved; true if its host may be private. */
function judge(url: URL, { allowHosts = [], onlyHosts }: RemoteOptions): boolean {
  if (url.protocol !== 'https:') throw refused(`${shown(url)} is not an https address.`);
  if (url.username !== '' || url.password !== '')
    throw refused(`An address of ${url.host} contains a user name or password.`);
  if (onlyHosts && !onlyHosts.some((one) => wildcardMatches(one, url.hostname)))
    throw refused(`The installation does not allow files from ${url.hostname}.`);
  if (allowHosts.includes(url.hostname) || allowHosts.includes(`${url.hostname}:${url.port || '443'}`))
    return true;
  const port = url.port === '' ? 443 : Number(url.port);
  if (port !== 443 && port < 1024)
    throw refused(`Port ${port} of ${url.hostname} is not allowed. Use 443, or 1024 and above.`);
  const literal = url.hostname.replace(/^\[|\]$/g, '');
  if (isIP(literal) !== 0 && !isPublicAddress(literal)) throw notPublic(url.hostname);
  return false;
}

/** REMOTE-1: the look-up that the connection itself uses. All addresses of a name must be public. */
const guarded =
  (lookup: Lookup, allowed: boolean): LookupFunction =>
  (host, options, done) => {
    lookup(host, (error, addresses) => {
      const [first] = addresses ?? [];
      if (error) done(error, '', 0);
      else if (!first || (!allowed && addresses.some((one) => !isPublicAddress(one.address))))
        done(notPublic(host), '', 0);
      else if (options.all) done(null, addresses);
      else done(null, first.address, first.family);
    });
  };

async function read(url: URL, { statusCode, headers, body }: Dispatcher.ResponseData): Promise<Fetched> {
  if (statusCode >= 300 && statusCode < 400 && typeof headers.location === 'string') {
    await body.dump();
    if (!URL.canParse(headers.location, url.href))
      throw refused(`${shown(url)} redirects to an invalid address.`);
    return { to: new URL(headers.location, url) };
  }
  if (statusCode >= 500 || statusCode === 429)
    throw outage(`${shown(url)} responded with HTTP ${statusCode}.`);
  if (statusCode !== 200) throw refused(`${shown(url)} responded with HTTP ${statusCode}.`);
  const encoding = headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity')
    throw refused(
      `${shown(url)} has the content encoding ${String(encoding).slice(0, 20)}, which was not requested.`,
    );
  return {
    bytes: await readBounded(body, MAX_BYTES, () => refused(`${shown(url)} is larger than 1 MiB.`)),
  };
}

/** One coded error for any failure of the connection. */
function connectionError(url: URL, cause: unknown, late: boolean): DavitError {
  for (let error = cause; error instanceof Error; error = error.cause)
    if (error instanceof DavitError) return error;
  if (late) return outage(`${shown(url)} did not respond in time.`);
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'no reason given';
  if (code === 'ENOTFOUND') return refused(`The host name ${url.hostname} does not exist.`);
  if (/CERT|SIGN|ISSUER|SSL|TLS/i.test(code))
    return new DavitError('include/refused', `The certificate of ${url.host} is not trusted (${code}).`, {
      hint: 'For an authority of your own, set includes.ca_file in the installation file.',
    });
  return outage(`${shown(url)} cannot be reached (${code}).`);
}

const shown = (url: URL): string => `${url.protocol}//${url.host}${url.pathname}`;
const refused = (message: string): DavitError => new DavitError('include/refused', message);
const outage = (message: string): DavitError => new DavitError('include/unreachable', message);
const notPublic = (host: string): DavitError =>
  new DavitError('include/refused', `${host} is not a public address.`, {
    hint: 'An operator can allow a private host with includes.allow_hosts in the installation file.',
  });
