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

/**
 * The address of a token service, or undefined if it must not be contacted. Credentials go there, so it must
 * be https; or it is the registry itself; or both are on the loopback. (Registry and token service of one
 * owner have different hosts at GitLab and at Docker Hub, so another https host is accepted.)
 */
export function tokenAddress(realm: string | undefined, registry: URL): URL | undefined {
  if (realm === undefined || !URL.canParse(realm)) return undefined;
  const url = new URL(realm);
  if (url.username !== '' || url.password !== '') return undefined;
  if (url.origin === registry.origin) return url;
  const outside = !isLoopback(url.hostname);
  if (url.protocol === 'https:' && outside) return url;
  if (/^https?:$/.test(url.protocol) && !outside && isLoopback(registry.hostname)) return url;
  return undefined;
}
