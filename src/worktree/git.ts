/** Calls git on a working tree, with argument lists only, and without hooks or filters of the repository. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { childEnvironment } from '../config.ts';
import { DavitError } from '../errors.ts';

const run = promisify(execFile);
/** Enough for the names of many files. */
const MAX_BYTES = 256 * 1024 * 1024;
const SAFE = ['-c', 'core.hooksPath=/dev/null', '-c', 'core.fsmonitor=false', '-c', 'core.quotePath=false'];
/** These variables may be set for another repository. */
const CLEAN = {
  GIT_DIR: undefined,
  GIT_WORK_TREE: undefined,
  GIT_INDEX_FILE: undefined,
  GIT_OPTIONAL_LOCKS: '0',
  GIT_TERMINAL_PROMPT: '0',
  LC_ALL: 'C.UTF-8',
};

/** Returns git's output. Rejects with `cli/no-git`, whose message has git's reason. */
export async function git(
  cwd: string,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<string> {
  try {
    const done = await run('git', [...SAFE, ...args], {
      cwd,
      env: childEnvironment({ ...CLEAN, ...env }),
      maxBuffer: MAX_BYTES,
      encoding: 'utf8',
    });
    return done.stdout;
  } catch (cause) {
    throw new DavitError('cli/no-git', `git ${args[0] ?? ''} failed in ${cwd}: ${failureText(cause)}`, {
      cause,
      hint: hintOf(cause),
    });
  }
}

/** Undefined if git fails. Still rejects if git is not installed. */
export async function gitMaybe(cwd: string, args: readonly string[]): Promise<string | undefined> {
  try {
    return (await git(cwd, args)).trim();
  } catch (error) {
    if (error instanceof DavitError && isMissing(error.cause)) throw error;
    return undefined;
  }
}

const isMissing = (cause: unknown): boolean =>
  cause instanceof Error && 'code' in cause && cause.code === 'ENOENT' && 'syscall' in cause;

const stderrOf = (cause: unknown): string =>
  cause instanceof Error && 'stderr' in cause ? String(cause.stderr).trim() : '';

function failureText(cause: unknown): string {
  if (isMissing(cause)) return 'git is not on the PATH.';
  const lines = stderrOf(cause).split('\n');
  return lines.find((line) => line.startsWith('fatal: ')) ?? lines.at(-1) ?? 'it failed without a message.';
}

/** The command that git suggests itself, as for a repository of another owner. */
function hintOf(cause: unknown): string | undefined {
  const command = /^\s*(git config .+)$/m.exec(stderrOf(cause))?.[1];
  return command === undefined ? undefined : `If you trust it, run: ${command}`;
}
