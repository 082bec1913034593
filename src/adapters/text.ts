/** Foreign text in davit's messages, and addresses in short. Pure. */

/** One line that ends in a full stop; what may be a credential in a URL is taken out. */
export function oneLine(said: string): string {
  const line = said
    .replace(/:\/\/[^/@\s]*@/g, '://***@')
    .replace(/\s+/g, ' ')
    .trim()
    .slice(0, 2000);
  return line === '' ? 'no reason given.' : /[.!?]$/.test(line) ? line : `${line}.`;
}

/** An address without what could be a password, and without control characters; for messages. */
export const printable = (text: string): string =>
  text
    .replace(/\/\/([^@/:]*):[^@/]*@/, '//$1:***@')
    .replace(/[^\x20-\x7e]/g, '?')
    .slice(0, 200);

/** True for a host that only this machine can answer on (RFC 1122, RFC 4291; `localhost` by RFC 6761). */
export const isLoopback = (host: string): boolean =>
  /^(?:localhost|127(?:\.\d{1,3}){3}|\[?::1\]?)$/i.test(host);
