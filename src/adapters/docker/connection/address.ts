/** Addresses of engines: text to a checked value. Pure. A value that gets through is safe as an argument of ssh. */
import { DavitError } from '../../../errors.ts';
import { isLoopback, printable } from '../../text.ts';

export type EngineAddress =
  | { kind: 'unix'; path: string }
  | { kind: 'tcp'; host: string; port: number; tls: boolean }
  | { kind: 'ssh'; user?: string; host: string; port?: number; socket: string };
export type SshAddress = Extract<EngineAddress, { kind: 'ssh' }>;

const HOST = /^(?:[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\])$/;
const USER = /^[A-Za-z_][A-Za-z0-9._-]{0,63}$/;
const SOCKET = /^\/[A-Za-z0-9._/-]{1,200}$/;
const DEFAULT_SOCKET = '/var/run/docker.sock';

/**
 * Reads `unix://PATH`, `tcp://HOST[:PORT]` or `ssh://[USER@]HOST[:PORT][/SOCKET]`. Rejects with
 * `engine/address`, also for plain tcp to another machine, because access to an engine's port is root access
 * to its machine.
 */
export function parseEngineAddress(text: string, hasCertificates: boolean): EngineAddress {
  const bad = (why: string): DavitError =>
    new DavitError(
      'engine/address',
      `"${printable(text)}" is not the address of a container engine: ${why}.`,
    );
  const unix = /^unix:\/\/(\/.*)$/.exec(text);
  if (unix?.[1]) {
    if (/[\0\r\n]/.test(unix[1])) throw bad('the path contains control characters');
    return { kind: 'unix', path: unix[1] };
  }
  const found = /^(tcp|https?|ssh):\/\/(?:([^@/]*)@)?(\[[^\]]*\]|[^:/@]*)(?::(\d{1,5}))?(\/.*)?$/.exec(text);
  if (!found) throw bad('it must start with unix://, tcp:// or ssh://');
  const [, scheme, user, host = '', portText, path] = found;
  const port = portText === undefined ? undefined : Number(portText);
  if (!HOST.test(host)) throw bad('the host name contains invalid characters');
  if (port !== undefined && (port < 1 || port > 65_535)) throw bad('the port is out of range');
  if (scheme === 'ssh') return sshAddress({ user, host, port, path }, bad);
  if (user !== undefined) throw bad('it must not contain a user or password');
  if (path !== undefined && path !== '/') throw bad('it must not contain a path');
  const tls = hasCertificates || scheme === 'https';
  if (!tls && !isLoopback(host))
    throw bad(
      'plain tcp is allowed on the loopback only; set DOCKER_CERT_PATH to use certificates, or use ssh://',
    );
  return { kind: 'tcp', host, port: port ?? (tls ? 2376 : 2375), tls };
}

function sshAddress(
  part: { user?: string; host: string; port?: number; path?: string },
  bad: (why: string) => DavitError,
): EngineAddress {
  if (part.user !== undefined && !USER.test(part.user))
    throw bad('the user name contains invalid characters');
  const socket = part.path === undefined || part.path === '/' ? DEFAULT_SOCKET : part.path;
  if (!SOCKET.test(socket)) throw bad('the path of the socket contains characters that are not allowed');
  return { kind: 'ssh', user: part.user, host: part.host, port: part.port, socket };
}
