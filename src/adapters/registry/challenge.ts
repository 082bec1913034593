/** `WWW-Authenticate` (RFC 9110 §11.6.1) and the address of a token service. Pure. */
import { isLoopback } from '../text.ts';

export interface Challenge {
  scheme: 'basic' | 'bearer';
  realm?: string;
  service?: string;
  scope?: string;
  error?: string;
}

/** The first challenge that davit supports; undefined if there is none. */
export function parseChallenge(header: string): Challenge | undefined {
  const found = /(?:^|,\s*)(basic|bearer)(?:\s+|$)/i.exec(header);
  if (!found) return undefined;
  const parameters = new Map<string, string>();
  const rest = header.slice(found.index + found[0].length);
  // Sticky: stops at the first text that is not a parameter, which is the next challenge.
  const parameter = /\s*,?\s*([A-Za-z_]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))/y;
  for (let one = parameter.exec(rest); one; one = parameter.exec(rest))
    parameters.set((one[1] ?? '').toLowerCase(), (one[2] ?? one[3] ?? '').replace(/\\(.)/g, '$1'));
  return {
    scheme: found[1]?.toLowerCase() === 'basic' ? 'basic' : 'bearer',
    realm: parameters.get('realm'),
    service: parameters.get('service'),
    scope: parameters.get('scope'),
    error: parameters.get('error'),
  };
}

/** What the installation file says of a registry's token service. */
export interface TokenTrust {
  /** Whether a password would be sent. */
  credentials: boolean;
  /** `HOST` or `HOST:PORT` that may have it beside the registry's own neighbours. */
  hosts: readonly string[];
  /** Origins of davit's server, for its own registry: this worker trusts it anyway. */
  origins?: readonly string[] | undefined;
}

/**
 * The address of a token service, or undefined when it may not be asked. Credentials go there, so it is the
 * registry itself, or https and named in the installation file, or https in the registry's own domain (GitLab
 * and Docker Hub have registry and token service in one domain); or both are on the loopback; or davit's server.
 */
export function tokenAddress(
  realm: string | undefined,
  registry: URL,
  trust: TokenTrust = { credentials: true, hosts: [] },
): URL | undefined {
  if (realm === undefined || !URL.canParse(realm)) return undefined;
  const url = new URL(realm);
  if (url.username !== '' || url.password !== '') return undefined;
  if (url.origin === registry.origin || trust.origins?.includes(url.origin)) return url;
  const outside = !isLoopback(url.hostname);
  if (/^https?:$/.test(url.protocol) && !outside && isLoopback(registry.hostname)) return url;
  if (url.protocol !== 'https:' || !outside) return undefined;
  const named = trust.hosts.includes(url.host);
  return !trust.credentials || named || domainOf(url.hostname) === domainOf(registry.hostname)
    ? url
    : undefined;
}

/** The last two labels; three where the second is a short one as in co.uk. An address is its own domain. */
function domainOf(host: string): string {
  if (/^[\d.]+$/.test(host) || host.includes(':')) return host;
  const labels = host.toLowerCase().split('.');
  const isShort = (labels.at(-2)?.length ?? 0) <= 3;
  return labels.slice(isShort ? -3 : -2).join('.');
}
