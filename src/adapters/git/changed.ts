/**
 * What has changed between two commits, by names alone: commits and trees are fetched where the server can leave out the
 * contents. A comparison that git cannot make (a ref that is gone, an answer that is too long) is left out of the answer.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { ChangedRequest, LastCommitsRequest } from '../ports.ts';
import type { GitAnswer, GitPlace } from './run.ts';
import { git, MAX_OUTPUT } from './run.ts';

type InRepo = (...args: string[]) => Promise<GitAnswer>;
const COMMIT = /^[0-9a-f]{40}([0-9a-f]{24})?$/;

export interface ChangedPlace {
  place: GitPlace;
  url: string;
  /** Full names that a short one may mean. */
  fullNames(ref: string): string[];
  /** For what is not merely a name that is not there. */
  throwIfFatal(stderr: string): void;
}

export async function changedIn(
  { place, url, fullNames, throwIfFatal }: ChangedPlace,
  request: ChangedRequest,
): Promise<Record<string, string[]>> {
  const inRepo = await emptyRepo(place, url);
  const whole = request.since.some((one) => one.mergeBase);
  const fetch = (names: string[], to: string) => fetchCommit(inRepo, { names, to, whole, throwIfFatal });
  if (!(await fetch([request.sha, ...fullNames(request.ref)], 'here'))) return {};
  const changed: Record<string, string[]> = {};
  for (const [index, since] of request.since.entries()) {
    const names = COMMIT.test(since.commit) ? [since.commit] : fullNames(since.commit);
    const to = `since${index}`;
    if (!(await fetch(names, to))) continue;
    const base = since.mergeBase ? await mergeBase(inRepo, to, request.sha) : `refs/davit/${to}`;
    const paths = base && (await pathsBetween(inRepo, base, request.sha));
    if (paths) changed[since.name] = paths;
  }
  return changed;
}

/** By path or glob, as git's pathspecs have them. Needs the whole history, without contents. */
export async function lastCommitsIn(
  { place, url, fullNames, throwIfFatal }: ChangedPlace,
  request: LastCommitsRequest,
): Promise<Record<string, string>> {
  const inRepo = await emptyRepo(place, url);
  const names = [request.sha, ...fullNames(request.ref)];
  if (!(await fetchCommit(inRepo, { names, to: 'here', whole: true, throwIfFatal }))) return {};
  const commits: Record<string, string> = {};
  for (const path of request.paths) {
    const found = await inRepo('log', '-1', '--format=%H', request.sha, '--', `:(top,glob)${path}`);
    const commit = found.stdout.trim();
    if (found.code === 0 && COMMIT.test(commit)) commits[path] = commit;
  }
  return commits;
}

async function emptyRepo(place: GitPlace, url: string): Promise<InRepo> {
  const repo = join(place.root, 'repo');
  await mkdir(repo);
  const inRepo: InRepo = (...args) => git(place, ['-C', repo, ...args]);
  await inRepo('init', '--quiet', '--template=', '--initial-branch=main');
  await inRepo('config', 'remote.origin.url', url);
  return inRepo;
}

interface Fetching extends Pick<ChangedPlace, 'throwIfFatal'> {
  names: readonly string[];
  to: string;
  whole: boolean;
}

/** Under `refs/davit/`, the first of the names that the server has. */
async function fetchCommit(inRepo: InRepo, { names, to, whole, throwIfFatal }: Fetching): Promise<boolean> {
  for (const name of names) {
    const fetched = await inRepo(
      'fetch',
      '--quiet',
      '--no-tags',
      '--no-recurse-submodules',
      '--no-write-fetch-head',
      '--filter=blob:none',
      ...(whole ? [] : ['--depth=1']),
      '--end-of-options',
      'origin',
      `+${name}:refs/davit/${to}`,
    );
    if (fetched.code === 0) return true;
    throwIfFatal(fetched.stderr);
  }
  return false;
}

async function mergeBase(inRepo: InRepo, to: string, sha: string): Promise<string | undefined> {
  const found = await inRepo('merge-base', `refs/davit/${to}`, sha);
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
