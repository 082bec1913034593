/** A repository in a private folder, and what is asked of its server. Nothing of it is run, and no submodule is followed. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expectOk, expectOkFromServer } from './git-errors.ts';
import type { CheckedUrl } from './validate.ts';
import { git, type GitAnswer, type GitWorkspace } from './run.ts';

/** `git` in one repository. */
export type InRepo = (...args: string[]) => Promise<GitAnswer>;

export const inFolder =
  (place: GitWorkspace, folder: string, settings: readonly string[] = []): InRepo =>
  (...args) =>
    git(place, [...settings, '-C', folder, ...args]);

/** Empty, with an origin whose address holds no credentials. */
export async function createRepository(inRepo: InRepo, url: string): Promise<void> {
  await expectOk(inRepo('init', '--quiet', '--template=', '--initial-branch=main'));
  await expectOk(inRepo('config', 'remote.origin.url', url));
}

/** Where the repository stands that a place is opened for. */
export const repositoryOf = ({ root }: GitWorkspace): string => join(root, 'repo');

export async function emptyRepository(place: GitWorkspace, url: string): Promise<InRepo> {
  const folder = repositoryOf(place);
  await mkdir(folder);
  const inRepo = inFolder(place, folder);
  await createRepository(inRepo, url);
  return inRepo;
}

interface Fetch {
  /** An address, or `origin`. */
  from: string;
  /** Commits and refspecs. */
  what: readonly string[];
  options?: readonly string[];
}

/** Takes what is named and no tag beside it. Answers whatever the exit code was. */
export const fetchInto = (inRepo: InRepo, { from, what, options = [] }: Fetch): Promise<GitAnswer> =>
  inRepo(
    'fetch',
    '--quiet',
    '--no-tags',
    '--no-recurse-submodules',
    '--no-write-fetch-head',
    ...options,
    '--end-of-options',
    from,
    ...what,
  );

/** `--depth` for GIT_DEPTH and its like; 0 is the whole history. */
export const depthOption = (depth: number): string[] =>
  depth === 0 ? [] : [`--depth=${Math.max(1, Math.trunc(depth))}`];

/** `SHA TAB REF` a line. Rejects with `git/denied` and `git/unreachable`. */
export const lsRemote = (place: GitWorkspace, { url }: CheckedUrl, ask: LsRemote): Promise<string> =>
  expectOkFromServer(
    git(place, [
      'ls-remote',
      '--quiet',
      ...(ask.options ?? []),
      '--end-of-options',
      url,
      ...(ask.patterns ?? []),
    ]),
  );
interface LsRemote {
  options?: readonly string[];
  patterns?: readonly string[];
}

/** A branch or tag by its short name; a merge request's ref (`refs/merge-requests/1/head`, `refs/pull/1/head`) is whole. */
export const fullNames = (ref: string): string[] =>
  ref.startsWith('refs/') ? [ref] : [`refs/heads/${ref}`, `refs/tags/${ref}`];
