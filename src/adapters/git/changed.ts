/**
 * What changed between two commits, by names alone: commits and trees are fetched, without contents if the
 * server supports that. A comparison that git cannot make (a missing ref, output that is too long) is left
 * out of the result.
 */
import type { ChangedRequest, LastCommitsRequest } from '../ports.ts';
import { throwIfFatal } from './git-errors.ts';
import { isSha } from './validate.ts';
import { depthOption, emptyRepository, fetchInto, fullNames, type InRepo } from './repository.ts';
import { MAX_OUTPUT, type GitWorkspace } from './run.ts';

export async function changedIn(
  place: GitWorkspace,
  url: string,
  request: ChangedRequest,
): Promise<Record<string, string[]>> {
  const inRepo = await emptyRepository(place, url);
  const whole = request.since.some((one) => one.mergeBase);
  const fetch = (names: string[], to: string) => fetchCommit(inRepo, { names, target: to, whole });
  if (!(await fetch([request.sha, ...fullNames(request.ref)], 'here'))) return {};
  const changed: Record<string, string[]> = {};
  for (const [index, since] of request.since.entries()) {
    const names = isSha(since.commit) ? [since.commit] : fullNames(since.commit);
    const to = `since${index}`;
    if (!(await fetch(names, to))) continue;
    const base = since.mergeBase ? await mergeBase(inRepo, to, request.sha) : `refs/davit/${to}`;
    const paths = base && (await pathsBetween(inRepo, base, request.sha));
    if (paths) changed[since.name] = paths;
  }
  return changed;
}

/** By path or glob, as in git's pathspecs. Needs the whole history, without contents. */
export async function lastCommitsIn(
  place: GitWorkspace,
  url: string,
  request: LastCommitsRequest,
): Promise<Record<string, string>> {
  const inRepo = await emptyRepository(place, url);
  const names = [request.sha, ...fullNames(request.ref)];
  if (!(await fetchCommit(inRepo, { names, target: 'here', whole: true }))) return {};
  const commits: Record<string, string> = {};
  for (const path of request.paths) {
    const found = await inRepo('log', '-1', '--format=%H', request.sha, '--', `:(top,glob)${path}`);
    const commit = found.stdout.trim();
    if (found.code === 0 && isSha(commit)) commits[path] = commit;
  }
  return commits;
}

interface CommitFetch {
  names: readonly string[];
  target: string;
  whole: boolean;
}

/** Fetches the first of the names that the server has, to a ref under `refs/davit/`. */
async function fetchCommit(inRepo: InRepo, { names, target, whole }: CommitFetch): Promise<boolean> {
  const options = ['--filter=blob:none', ...depthOption(whole ? 0 : 1)];
  for (const name of names) {
    const refs = [`+${name}:refs/davit/${target}`];
    const fetched = await fetchInto(inRepo, { from: 'origin', refs, options });
    if (fetched.code === 0) return true;
    throwIfFatal(fetched);
  }
  return false;
}

async function mergeBase(inRepo: InRepo, target: string, sha: string): Promise<string | undefined> {
  const found = await inRepo('merge-base', `refs/davit/${target}`, sha);
  return found.code === 0 ? found.stdout.trim() : undefined;
}

async function pathsBetween(inRepo: InRepo, from: string, sha: string): Promise<string[] | undefined> {
  const diff = await inRepo(
    'diff-tree',
    '-r',
    '-z',
    '--name-only',
    '--no-renames',
    `${from}^{tree}`,
    `${sha}^{tree}`,
  );
  if (diff.code !== 0 || diff.stdout.length >= MAX_OUTPUT - 4096) return undefined;
  return diff.stdout.split('\0').filter((path) => path !== '');
}
