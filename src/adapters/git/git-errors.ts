/** What git's answers mean: coded errors, in words without control characters. */
import { DavitError } from '../../errors.ts';
import type { GitAnswer } from './run.ts';

/** Output of a command that works on this machine alone. Rejects with `git/unreachable`. */
export async function expectOk(answer: Promise<GitAnswer>): Promise<string> {
  const { code, stdout, stderr } = await answer;
  if (code !== 0) throw unreachable(stderr);
  return stdout;
}

/** Output of a command that asks the server. Rejects with `git/denied` and `git/unreachable`. */
export async function expectOkFromServer(answer: Promise<GitAnswer>): Promise<string> {
  const { code, stdout, stderr } = await answer;
  if (code === 0) return stdout;
  throwIfFatal(stderr);
  throw unreachable(stderr);
}

/** Throws for what a second try with another ref cannot mend; returns when the commit or ref is merely not there. */
export function throwIfFatal(stderr: string): void {
  if (/not our ref|couldn't find remote ref|unadvertised object|no such remote ref/i.test(stderr)) return;
  const denied =
    /authentication failed|could not read (username|password)|terminal prompts disabled|permission denied|access denied|returned error: (401|403|404)|host key verification failed|repository .*not found|does not appear to be a git repository|does not exist/i;
  if (denied.test(stderr)) throw new DavitError('git/denied', `The repository refused: ${lastLine(stderr)}`);
  throw unreachable(stderr);
}

export const unreachable = (stderr: string): DavitError =>
  /returned error: 30[1278]/.test(stderr)
    ? new DavitError(
        'git/unreachable',
        'The address of the repository redirects, which davit does not follow.',
        {
          hint: 'Put the final address into clone_url.',
        },
      )
    : new DavitError('git/unreachable', `git could not fetch: ${lastLine(stderr)}`);

/** git's last word, without control characters; it never holds credentials, because git was never told them in a URL. */
function lastLine(stderr: string): string {
  const lines = stderr.split('\n').filter((line) => line.trim() !== '');
  const said =
    lines.find((line) => /^(fatal|error|remote: error):/i.test(line)) ?? lines.at(-1) ?? 'no reason given';
  return said.replace(/[\u0000-\u001f\u007f]/g, ' ').slice(0, 300);
}
