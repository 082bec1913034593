/** Image names: text to parts, by Docker's reference grammar (distribution/reference). Pure. */
import { DavitError } from '../errors.ts';
import { isDigest, type Digest } from '../plan/model/ids.ts';

export interface ImageName {
  /** `HOST[:PORT]`; `docker.io` if the name has none. */
  host: string;
  /** Repository in that registry: `library/alpine`, `group/app`. */
  repository: string;
  tag?: string;
  digest?: Digest;
}

const DOCKER_HUB = 'docker.io';
const PART = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const HOST =
  /^(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*|\[[0-9A-Fa-f:]+\])(?::\d{1,5})?$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
const MAX_LENGTH = 255;

/** Reads `[HOST[:PORT]/]PATH[:TAG][@DIGEST]`. Throws `registry/name`. */
export function parseImageName(text: string): ImageName {
  const bad = (why: string): DavitError =>
    new DavitError(
      'registry/name',
      `"${text.replace(/[^\x20-\x7e]/g, '?').slice(0, 300)}" is not an image name: ${why}.`,
    );
  const [named = '', digest, ...more] = text.split('@');
  if (more.length > 0) throw bad('it has more than one @');
  if (digest !== undefined && !isDigest(digest)) throw bad('its digest is not sha256: and 64 hex digits');
  const slash = named.indexOf('/');
  const first = slash > 0 ? named.slice(0, slash) : '';
  const hasHost = slash > 0 && (/[.:]/.test(first) || first === 'localhost' || first !== first.toLowerCase());
  const path = hasHost ? named.slice(slash + 1) : named;
  const colon = path.lastIndexOf(':');
  const tag = colon > path.lastIndexOf('/') ? path.slice(colon + 1) : undefined;
  const bare = tag === undefined ? path : path.slice(0, colon);
  if (tag !== undefined && !TAG.test(tag)) throw bad(`"${tag.slice(0, 130)}" is not a tag`);
  const host = hasHost ? first : DOCKER_HUB;
  if (!HOST.test(host)) throw bad(`"${host}" is not the address of a registry`);
  if (bare === '' || !bare.split('/').every((part) => PART.test(part)))
    throw bad('a name consists of lower-case letters and digits with single . _ - between them');
  if (bare.length > MAX_LENGTH) throw bad(`it is longer than ${MAX_LENGTH} characters`);
  const hub = host === DOCKER_HUB || host === 'index.docker.io';
  return {
    host: hub ? DOCKER_HUB : host,
    repository: hub && !bare.includes('/') ? `library/${bare}` : bare,
    ...(tag !== undefined && { tag }),
    ...(digest !== undefined && { digest }),
  };
}

export function isImageName(text: string): boolean {
  try {
    parseImageName(text);
    return true;
  } catch (error) {
    if (error instanceof DavitError) return false;
    throw error;
  }
}

/** The name in full, with host; the tag is left out next to a digest. */
export function imageNameText(name: ImageName): string {
  const reference = name.digest ? `@${name.digest}` : `:${name.tag ?? 'latest'}`;
  return `${name.host}/${name.repository}${reference}`;
}
