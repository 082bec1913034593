/** Makes foreign text and addresses safe for messages. Pure. */

/** One line that ends in a full stop; possible credentials in a URL are removed. */
export function oneLine(text: string): string {
  const line = text
    .replace(/:\/\/[^/@\s]*@/g, '://***@')
    .replace(/\s+/g, ' ')
    .trim()
    .slice(0, 2000);
  return line === '' ? 'no reason given.' : /[.!?]$/.test(line) ? line : `${line}.`;
}

/** An address for messages, without a possible password and without control characters. */
export const printable = (text: string): string =>
  text
    .replace(/\/\/([^@/:]*):[^@/]*@/, '//$1:***@')
    .replace(/[^\x20-\x7e]/g, '?')
    .slice(0, 200);

/**
 * Whether a token may go to this address: not over plain http, except to this machine itself, and to the origins that
 * the operator has allowed (`allow_http` of a project).
 */
export function mayCarryToken(url: string, plainOrigins: ReadonlySet<string> = new Set()): boolean {
  if (!/^http:/i.test(url) || !URL.canParse(url)) return true;
  const { hostname, origin } = new URL(url);
  return isLoopback(hostname) || plainOrigins.has(origin);
}

/** True for a host that only this machine can serve (RFC 1122, RFC 4291; `localhost` by RFC 6761). */
export const isLoopback = (host: string): boolean =>
  /^(?:localhost|127(?:\.\d{1,3}){3}|\[?::1\]?)$/i.test(host);
