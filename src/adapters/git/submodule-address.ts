/** The address of a submodule (pure): as written in .gitmodules, relative to its parent and the project. */
import { posix } from 'node:path';
import { DavitError } from '../../errors.ts';
import type { CheckedUrl } from './validate.ts';

export interface SubmoduleAddress {
  url: string;
  /** On the project's own host: its credentials may go there. */
  own: boolean;
}
const refuse = (message: string): DavitError => new DavitError('git/bad-request', message);
const SCP = /^(?:[A-Za-z0-9._-]+@)?([A-Za-z0-9][A-Za-z0-9.-]*):(?!\/\/)(.+)$/;

/**
 * `../other.git` is relative to the parent. An ssh address of a project that is fetched over https becomes
 * https.
 */
export function addressOf(written: string, origin: { parent: string; home: CheckedUrl }): SubmoduleAddress {
  const url = /^\.\.?(\/|$)/.test(written) ? relative(written, origin.parent) : written;
  const { home } = origin;
  if (home.protocol === 'file') return { url, own: besides(url, home.url) };
  const target = partsOf(url);
  const homeParts = partsOf(home.url);
  if (target.protocol === 'ssh' && homeParts.protocol !== 'ssh' && target.host === homeParts.host)
    return { url: `${home.origin ?? ''}${target.path.replace(/^\/+/, '')}`, own: true };
  const own =
    target.protocol === homeParts.protocol &&
    target.host === homeParts.host &&
    target.port === homeParts.port;
  return { url, own };
}

function relative(written: string, parent: string): string {
  const scp = SCP.exec(parent);
  const cut =
    scp && !parent.includes('://') ? parent.indexOf(':') + 1 : parent.indexOf('/', parent.indexOf('://') + 3);
  if (cut <= 0) throw refuse('Its address is relative to an address without a path.');
  const path = parent.slice(cut).replace(/\/+$/, '');
  const joined = posix.join(path.startsWith('/') ? path : `/${path}`, written);
  const whole = path.startsWith('/') ? joined : joined.slice(1);
  return `${parent.slice(0, cut)}${whole}`;
}

/** A repository on disk may name repositories beside it, and nothing else on that disk. */
function besides(url: string, home: string): boolean {
  const above = `${posix.dirname(home.replace(/\/+$/, ''))}/`;
  if (url.startsWith(above) && !url.includes('/../')) return true;
  if (url.startsWith('file:') || url.startsWith('/'))
    throw refuse('It is outside the folder of the repository.');
  return false;
}

interface Parts {
  protocol: string;
  host: string;
  port: string;
  path: string;
}
function partsOf(url: string): Parts {
  if (url.includes('://') && URL.canParse(url)) {
    const { protocol, hostname, port, pathname } = new URL(url);
    return { protocol: protocol.slice(0, -1), host: hostname.toLowerCase(), port, path: pathname };
  }
  const scp = SCP.exec(url);
  if (!scp?.[1]) throw refuse('Its address is not a URL.');
  return { protocol: 'ssh', host: scp[1].toLowerCase(), port: '', path: scp[2] ?? '' };
}
