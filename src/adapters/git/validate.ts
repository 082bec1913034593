/**
 * Allow lists for git's arguments (pure). A ref or address that git could read as an option, another
 * transport or a second line never reaches it.
 */
import { DavitError } from '../../errors.ts';

/** `file` is for tests and mirrors on the same disk; an operator's installation has https or ssh. */
export type GitProtocol = 'https' | 'http' | 'ssh' | 'file';
export const DEFAULT_PROTOCOLS: readonly GitProtocol[] = ['https', 'ssh'];

const SHA = /^[0-9a-f]{40}([0-9a-f]{24})?$/;
/** Longer than any server accepts. */
const MAX_REF = 1_000;
/**
 * The rules of git-check-ref-format(1): no part begins with a dot or ends in `.lock`; no `..`, `//`, `@{`; no control
 * character, space or one of `~^:?*[\`; no dot at the end, no slash at either. Quotes, brackets, `&`, `;` and emoji are legal. Beyond
 * that a name does not begin with a dash, as `git branch` refuses it, and is whole text: what is not UTF-8 in git has
 * a replacement character here, and would be another ref.
 */
const REF =
  // oxlint-disable-next-line no-control-regex -- control characters are searched
  /^(?![-/.])(?!.*(?:\.\.|\/\/|@\{|\/\.|\.lock(?:\/|$)))(?!@$)[^\u0000-\u0020\u007f~^:?*[\\\uFFFD]+(?<![/.])$/su;
// Spaces and control characters: a newline would add a second response to a credential prompt
// (CVE-2020-5260).
const BAD_URL = /[\u0000-\u0020\u007f]|%(?:0[0-9a-f]|1[0-9a-f]|7f)/i;
const SCP_LIKE =
  /^[A-Za-z0-9._][A-Za-z0-9._-]*@[A-Za-z0-9][A-Za-z0-9.-]*:(?![-/]*\/\/)[A-Za-z0-9~/._][A-Za-z0-9~/._+-]*$/;

const refuse = (message: string): DavitError => new DavitError('git/bad-request', message);

export const isSha = (sha: string): boolean => SHA.test(sha);

export function checkSha(sha: string): string {
  if (!isSha(sha)) throw refuse(`"${clip(sha)}" is not a full commit SHA.`);
  return sha;
}

export const isRef = (ref: string): boolean => ref.length <= MAX_REF && ref.isWellFormed() && REF.test(ref);

export function checkRef(ref: string): string {
  if (!isRef(ref)) throw refuse(`"${clip(ref)}" is not a valid branch or tag name.`);
  return ref;
}

export interface CheckedUrl {
  url: string;
  protocol: GitProtocol;
  /** `https://host:port/`, which credentials are bound to; undefined for ssh and file. */
  origin?: string;
}

/**
 * Rejects other transports (`ext::`, `fd::`), user names and passwords in the address, and control
 * characters.
 */
export function checkUrl(url: string, allowed: readonly GitProtocol[]): CheckedUrl {
  if (url.length > 2_000 || BAD_URL.test(url))
    throw refuse('The address of the repository contains control characters or spaces.');
  const checked = SCP_LIKE.test(url) ? { url, protocol: 'ssh' as const } : parseUrl(url);
  if (!allowed.includes(checked.protocol))
    throw refuse(`davit does not fetch over ${checked.protocol}. Use ${allowed.join(' or ')}.`);
  return checked;
}

function parseUrl(url: string): CheckedUrl {
  if (!URL.canParse(url)) throw refuse('The address of the repository is not a URL.');
  const parsed = new URL(url);
  const protocol = parsed.protocol.slice(0, -1);
  if (protocol !== 'https' && protocol !== 'http' && protocol !== 'ssh' && protocol !== 'file')
    throw refuse(`davit does not fetch over "${clip(protocol)}".`);
  if (parsed.password !== '' || (parsed.username !== '' && protocol !== 'ssh'))
    throw refuse('The address contains credentials. Set them with clone_user and clone_token.');
  if (protocol !== 'file' && !/^[A-Za-z0-9[][A-Za-z0-9.:\]-]*$/.test(parsed.hostname))
    throw refuse('The host name of the repository is invalid.');
  if (/^-/.test(parsed.username)) throw refuse('The user of the repository address starts with a dash.');
  const web = protocol === 'https' || protocol === 'http';
  return web ? { url, protocol, origin: `${parsed.origin}/` } : { url, protocol };
}

const clip = (text: string): string => JSON.stringify(text.slice(0, 80)).slice(1, -1);
