/** Coded errors from git's output, without control characters. */
import { DavitError } from '../../errors.ts';
import type { GitResult } from './run.ts';

/** Output of a local command. Rejects with `git/unreachable`. */
export async function expectOk(result: Promise<GitResult>): Promise<string> {
  const { code, stdout, stderr } = await result;
  if (code !== 0) throw unreachable(stderr);
  return stdout;
}

/** Output of a command that contacts the server. Rejects with `git/denied`, `git/moved` and `git/unreachable`. */
export async function expectOkFromServer(result: Promise<GitResult>): Promise<string> {
  const ended = await result;
  if (ended.code === 0) return ended.stdout;
  throwIfFatal(ended);
  throw unreachable(ended.stderr);
}

/** Throws if another ref would not help; returns if the commit or ref is only missing. */
export function throwIfFatal({ stderr, authorized }: Pick<GitResult, 'stderr' | 'authorized'>): void {
  if (/not our ref|couldn't find remote ref|unadvertised object|no such remote ref/i.test(stderr)) return;
  if (WANTS_TOKEN.test(stderr))
    throw new DavitError(
      'git/denied',
      authorized
        ? 'The repository refused the token that it was asked with.'
        : 'The repository asks for a token, and it was asked without one.',
    );
  if (DENIED.test(stderr))
    throw new DavitError('git/denied', `The repository refused access: ${lastLine(stderr)}`, {
      ...(authorized && { hint: MAY_NOT }),
    });
  throw unreachable(stderr);
}

/** HTTP 401: git asks for a user and a password, and nobody answers. */
const WANTS_TOKEN =
  /authentication failed|could not read (username|password)|terminal prompts disabled|askpass|returned error: 401/i;
const DENIED =
  /permission denied|access denied|returned error: (403|404)|host key verification failed|repository .*not found|does not appear to be a git repository|does not exist/i;
/** A forge answers 404 for what a token may not see. */
const MAY_NOT =
  'Check clone_url, and that clone_token of the project may read this repository: docs/forges has its scopes.';

export const unreachable = (stderr: string): DavitError =>
  /returned error: 30[1278]/.test(stderr)
    ? new DavitError('git/moved', 'The address of the repository redirects; davit does not follow redirects.')
    : new DavitError('git/unreachable', `git could not fetch: ${lastLine(stderr)}`);

/**
 * git's last message, without control characters; it never contains credentials, because no URL given to git
 * does.
 */
function lastLine(stderr: string): string {
  const lines = stderr.split('\n').filter((line) => line.trim() !== '');
  const said =
    lines.find((line) => /^(fatal|error|remote: error):/i.test(line)) ?? lines.at(-1) ?? 'no reason given';
  return said.replace(/[\u0000-\u001f\u007f]/g, ' ').slice(0, 300);
}
