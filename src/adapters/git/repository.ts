/**
 * A repository in a private folder, and requests to its server. Nothing of it is executed, and no submodule
 * is followed.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expectOk, expectOkFromServer } from './git-errors.ts';
import type { CheckedUrl } from './validate.ts';
import { git, type GitResult, type GitWorkspace } from './run.ts';

/** `git` in one repository. */
export type InRepo = (...args: string[]) => Promise<GitResult>;

export const inFolder =
  (place: GitWorkspace, folder: string, settings: readonly string[] = []): InRepo =>
  (...args) =>
    git(place, [...settings, '-C', folder, ...args]);

/** Creates an empty one, with an origin whose address contains no credentials. */
export async function createRepository(inRepo: InRepo, url: string): Promise<void> {
  await expectOk(inRepo('init', '--quiet', '--template=', '--initial-branch=main'));
  await expectOk(inRepo('config', 'remote.origin.url', url));
}

/** The folder of the repository in a workspace. */
export const repositoryOf = ({ root }: GitWorkspace): string => join(root, 'repo');

export async function emptyRepository(place: GitWorkspace, url: string): Promise<InRepo> {
  const folder = repositoryOf(place);
  await mkdir(folder);
  const inRepo = inFolder(place, folder);
  await createRepository(inRepo, url);
  return inRepo;
}

interface FetchRequest {
  /** An address, or `origin`. */
  from: string;
  /** Commits and refspecs. */
  refs: readonly string[];
  options?: readonly string[];
  /** `follow`: also the tags of fetched commits, if these get a ref. */
  tags?: 'none' | 'follow';
}

/** Fetches only what is named. Returns the result for any exit code. */
export const fetchInto = (
  inRepo: InRepo,
  { from, refs, options = [], tags = 'none' }: FetchRequest,
): Promise<GitResult> =>
  inRepo(
    'fetch',
    '--quiet',
    ...(tags === 'none' ? ['--no-tags'] : []),
    '--no-recurse-submodules',
    '--no-write-fetch-head',
    ...options,
    '--end-of-options',
    from,
    ...refs,
  );

/** `--depth` for GIT_DEPTH and similar; 0 is the whole history. */
export const depthOption = (depth: number): string[] =>
  depth === 0 ? [] : [`--depth=${Math.max(1, Math.trunc(depth))}`];

/** Lines of `SHA TAB REF`. Rejects with `git/denied` and `git/unreachable`. */
export const lsRemote = (
  place: GitWorkspace,
  { url }: CheckedUrl,
  options: LsRemoteOptions,
): Promise<string> =>
  expectOkFromServer(
    git(place, [
      'ls-remote',
      '--quiet',
      ...(options.options ?? []),
      '--end-of-options',
      url,
      ...(options.patterns ?? []),
    ]),
  );
interface LsRemoteOptions {
  options?: readonly string[];
  patterns?: readonly string[];
}

/**
 * A branch or tag by its short name; a merge request's ref (`refs/merge-requests/1/head`, `refs/pull/1/head`)
 * is whole.
 */
export const fullNames = (ref: string): string[] =>
  ref.startsWith('refs/') ? [ref] : [`refs/heads/${ref}`, `refs/tags/${ref}`];
