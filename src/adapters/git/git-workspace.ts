/** The working folder of one git process: private, with the credentials that the process may use. */
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DavitError } from '../../errors.ts';
import { removeTempFolder, tempFolder } from '../temp.ts';
import { mayCarryToken } from '../text.ts';
import { DEFAULT_PROTOCOLS, type CheckedUrl, type GitProtocol } from './validate.ts';
import type { GitWorkspace } from './run.ts';

export interface GitOptions {
  /** https and ssh by default. */
  protocols?: readonly GitProtocol[];
  /** Files with an additional authority, by the origin that it is for. */
  authorities?: ReadonlyMap<string, string>;
  /** Origins that get a token over plain http: `http://gitea.lan:3000`. */
  plainOrigins?: ReadonlySet<string>;
  /** PATH of the git process. */
  path?: string;
  /** Parent of the temporary folders. */
  temp?: string;
}
export type Auth = { username: string; password: string };

const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/homebrew/bin';

/** A private folder with the credentials (GIT-2). */
export async function openWorkspace(
  { protocols = DEFAULT_PROTOCOLS, path = PATH, temp, authorities, plainOrigins }: GitOptions,
  url: CheckedUrl,
  { auth, signal }: { auth?: Auth; signal?: AbortSignal },
): Promise<GitWorkspace> {
  const header = headerOf(url, auth, plainOrigins);
  const root = await tempFolder('git', temp);
  try {
    await chmod(root, 0o700);
    await writeFile(join(root, 'gitconfig'), `${header}${trust(authorities)}`, {
      mode: 0o600,
    });
  } catch (error) {
    await removeTempFolder(root);
    throw error;
  }
  return { root, protocols, path, signal, authorized: header !== '' };
}

export const removeWorkspace = ({ root }: GitWorkspace): Promise<void> => removeTempFolder(root);

/** GIT-4: the folder is removed when the work has settled, whatever its outcome. */
export async function inWorkspace<T>(place: GitWorkspace, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } finally {
    await removeWorkspace(place);
  }
}

/** For each origin alone: other hosts are checked as usual. */
const trust = (authorities: GitOptions['authorities']): string =>
  [...(authorities ?? [])]
    .map(([origin, file]) => `[http ${quoted(origin)}]\n\tsslCAInfo = ${quoted(file)}\n`)
    .join('');
const quoted = (text: string): string => `"${text.replace(/["\\]/g, '\\$&')}"`;

/** An `http.URL.extraHeader` for this origin alone; empty without credentials and for ssh. */
function headerOf(url: CheckedUrl, auth: Auth | undefined, plainOrigins: GitOptions['plainOrigins']): string {
  const basic = basicAuth(url, auth, plainOrigins);
  return basic === undefined ? '' : `[http "${url.origin}"]\n\textraHeader = Authorization: ${basic}\n`;
}

/** The value of the header Authorization for the address's own origin. */
export function basicAuth(
  { origin }: CheckedUrl,
  auth: Auth | undefined,
  plainOrigins: GitOptions['plainOrigins'],
): string | undefined {
  if (!auth || !origin) return undefined;
  if (!mayCarryToken(origin, plainOrigins)) throw plainHttp('clone_token');
  return `Basic ${Buffer.from(`${auth.username}:${auth.password}`).toString('base64')}`;
}

export const plainHttp = (token: string): DavitError =>
  new DavitError('git/bad-request', `davit does not send ${token} over plain http.`, {
    hint: 'Use an https address. In a network that you trust, set `allow_http: true` for the project.',
  });
