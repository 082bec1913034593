import type { Origin } from '../plan/model/trigger.ts';

/**
 * The forge's host and the full name of a project, from the address of a git remote: `https://HOST/GROUP/PROJECT.git`,
 * `ssh://git@HOST:PORT/GROUP/PROJECT` or `git@HOST:GROUP/PROJECT.git`. Undefined for a folder and for other addresses.
 */
export function originOf(address: string | undefined): Origin | undefined {
  const text = address?.trim() ?? '';
  const short = /^(?:[^@/:\s]+@)?(?<host>[A-Za-z0-9][A-Za-z0-9.-]*):(?!\/\/)(?<path>.+)$/.exec(text)?.groups;
  // One letter before a colon is a drive of Windows.
  if (short?.host !== undefined && short.host.length > 1) return origin(short.host, short.path ?? '');
  if (!/^(?:https?|ssh|git):\/\//i.test(text) || !URL.canParse(text)) return undefined;
  const { protocol, hostname, port, pathname } = new URL(text);
  // Only the port of the web is one that the forge's addresses have.
  const web = protocol === 'http:' || protocol === 'https:';
  return origin(
    web && port !== '' ? `${hostname}:${port}` : hostname,
    decoded(pathname),
    protocol === 'http:',
  );
}

function origin(host: string, path: string, plain = false): Origin | undefined {
  const name = path.replace(/^\/+|\/+$/g, '').replace(/\.git$/, '');
  if (host === '' || name === '' || !/^[\w.+-]+(?:\/[\w.+-]+)*$/.test(name)) return undefined;
  return { host: host.toLowerCase(), path: name, ...(plain && { plain: true as const }) };
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path; // not encoded
  }
}
