/**
 * Sources from git. Role: fetch one commit with a little history into a fresh private folder and hand it out as a tar.
 * Not its role: LFS, caching between fetches.
 *
 * Invariants: G1 nothing from outside reaches git as an option, another transport or a second line (`check.ts`). G2
 * credentials stand in a file of mode 0600 outside of the checkout, bound to scheme, host and port: never in argv,
 * environment, address or `.git`. G3 no hook, filter, submodule or helper runs. G4 the folder is gone when `done` settles,
 * whatever happened.
 */
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DavitError } from '../../errors.ts';
import type { ChangedRequest, CommitFacts, RemoteHead, Source, SourceRequest } from '../ports.ts';
import { checkRef, checkSha, checkUrl, DEFAULT_PROTOCOLS, type CheckedUrl } from './check.ts';
import { changedIn, lastCommitsIn } from './changed.ts';
import { headsOf, MAX_HEADS_BYTES } from './heads.ts';
import { packFolder } from './pack.ts';
import { openPlace, type GitOptions } from './place.ts';
import { git, type GitAnswer, type GitPlace } from './run.ts';
import { fetchSubmodules, type SubmodulesOf } from './submodules.ts';

export type { GitOptions } from './place.ts';

/** The Source port over the git command. Errors: `git/bad-request`, `git/no-commit`, `git/unreachable`, `git/denied`. */
export function gitSource(options: GitOptions = {}): Source {
  const protocols = options.protocols ?? DEFAULT_PROTOCOLS;
  const asked = async (request: Omit<ChangedRequest, 'since'> & Partial<ChangedRequest>) => {
    const url = checkUrl(request.url, protocols);
    checkAll(request);
    return { url, place: await openPlace(options, url, request) };
  };
  return {
    async fetch(request) {
      const { url, place } = await asked(request);
      try {
        const commit = await checkout(place, url, request);
        const repo = join(place.root, 'repo');
        if (request.submodules)
          await submodules(options, { place, home: url, request: request.submodules }, repo);
        const packed = packFolder(repo);
        const done = cleanedUp(packed.done, place.root);
        // The reader of the tar sees the same error; a caller that awaits only that must not crash the process.
        done.catch(() => undefined);
        return { tar: packed.tar, done, commit };
      } catch (error) {
        await remove(place.root);
        throw error;
      }
    },
    async changed(request) {
      const { url, place } = await asked(request);
      return cleanedUp(changedIn({ place, url: url.url, fullNames, throwIfFatal }, request), place.root);
    },
    async lastCommits(request) {
      const { url, place } = await asked(request);
      return cleanedUp(lastCommitsIn({ place, url: url.url, fullNames, throwIfFatal }, request), place.root);
    },
    async head(address, ref, auth) {
      const url = checkUrl(address, protocols);
      checkRef(ref);
      const place = await openPlace(options, url, { auth });
      return cleanedUp(remoteHead(place, url, ref), place.root);
    },
    async heads(request) {
      const url = checkUrl(request.url, protocols);
      const place = await openPlace(options, url, request);
      return cleanedUp(remoteHeads(place, url), place.root);
    },
  };
}

async function submodules(
  options: GitOptions,
  of: Pick<SubmodulesOf, 'place' | 'home' | 'request'>,
  repo: string,
): Promise<void> {
  const bare = await openPlace(options, of.home, { signal: of.place.signal });
  await cleanedUp(fetchSubmodules({ ...of, bare, throwIfFatal }, repo), bare.root);
}

/** Of one commit, and of those it is compared with: G1. */
function checkAll({
  sha,
  ref,
  since = [],
}: Pick<SourceRequest, 'sha' | 'ref'> & Partial<ChangedRequest>): void {
  checkSha(sha);
  for (const name of [ref, ...since.map((one) => one.commit)]) checkRef(name);
}

const remove = (folder: string): Promise<void> => rm(folder, { recursive: true, force: true, maxRetries: 3 });

export async function cleanedUp<T>(work: Promise<T>, folder: string): Promise<T> {
  try {
    return await work;
  } finally {
    await remove(folder);
  }
}

async function checkout(place: GitPlace, url: CheckedUrl, request: SourceRequest): Promise<CommitFacts> {
  const repo = join(place.root, 'repo');
  await mkdir(repo);
  const inRepo = (...args: string[]) => git(place, ['-C', repo, ...args]);
  await must(inRepo('init', '--quiet', '--template=', '--initial-branch=main'));
  // Credential-free: G2.
  await must(inRepo('config', 'remote.origin.url', url.url));
  await must(inRepo('config', 'remote.origin.fetch', '+refs/heads/*:refs/remotes/origin/*'));
  const fetch = (what: string, depth: string[]) =>
    inRepo(
      'fetch',
      '--quiet',
      '--no-tags',
      '--no-recurse-submodules',
      '--no-write-fetch-head',
      ...depth,
      '--end-of-options',
      url.url,
      what,
    );
  const whole = request.depth === 0;
  if (whole) await wholeHistory(inRepo, url.url);
  const depth = whole ? [] : [`--depth=${Math.max(1, Math.trunc(request.depth))}`];
  const bySha = await fetch(request.sha, depth);
  if (bySha.code !== 0) {
    // Some servers name only branch tips: take the ref, whole, because the commit may lie below any depth.
    throwIfFatal(bySha.stderr);
    for (const ref of fullNames(request.ref)) {
      const byRef = await fetch(ref, []);
      if (byRef.code !== 0) throwIfFatal(byRef.stderr);
    }
  }
  const there = await inRepo('cat-file', '-e', `${request.sha}^{commit}`);
  if (there.code !== 0)
    throw new DavitError(
      'git/no-commit',
      `The repository has no commit ${request.sha.slice(0, 12)} (ref ${request.ref}).`,
    );
  await must(inRepo('checkout', '--quiet', '--detach', '--no-recurse-submodules', request.sha));
  const facts = await must(
    inRepo('log', '-1', '--no-show-signature', '--format=%an <%ae>%x00%cI%x00%B', request.sha),
  );
  const [author = '', timestamp = '', message = ''] = facts.split('\0');
  const tagMessage = request.tag ? await tagMessageOf(inRepo, url.url, request.ref) : undefined;
  return { author, timestamp, message: message.trimEnd(), ...(tagMessage !== undefined && { tagMessage }) };
}

/** As GitLab with GIT_DEPTH 0: all branches and tags, so that `git describe` finds what it looks for. */
async function wholeHistory(inRepo: (...args: string[]) => Promise<GitAnswer>, url: string): Promise<void> {
  const all = ['+refs/heads/*:refs/remotes/origin/*', '+refs/tags/*:refs/tags/*'];
  const quiet = ['--quiet', '--no-recurse-submodules', '--no-write-fetch-head'];
  const fetched = await inRepo('fetch', ...quiet, '--end-of-options', url, ...all);
  if (fetched.code !== 0) throwIfFatal(fetched.stderr);
}

/** Fetches the tag itself; undefined for a lightweight one, and where it has gone meanwhile. */
async function tagMessageOf(
  inRepo: (...args: string[]) => Promise<GitAnswer>,
  url: string,
  tag: string,
): Promise<string | undefined> {
  const name = `refs/tags/${tag}`;
  const fetched = await inRepo(
    'fetch',
    '--quiet',
    '--no-tags',
    '--no-recurse-submodules',
    '--no-write-fetch-head',
    '--depth=1',
    '--end-of-options',
    url,
    `+${name}:${name}`,
  );
  if (fetched.code !== 0) return undefined;
  const shown = await inRepo('for-each-ref', '--format=%(objecttype)%00%(contents)', name);
  const [type, text = ''] = shown.stdout.split('\0');
  return type === 'tag' ? text.trimEnd() : undefined;
}

async function remoteHead(place: GitPlace, url: CheckedUrl, ref: string): Promise<string | undefined> {
  const names = fullNames(ref).flatMap((name) =>
    name.startsWith('refs/tags/') ? [`${name}^{}`, name] : [name],
  );
  const answer = await git(place, ['ls-remote', '--quiet', '--end-of-options', url.url, ...names]);
  if (answer.code !== 0) {
    throwIfFatal(answer.stderr);
    throw unreachable(answer.stderr);
  }
  const lines = answer.stdout.split('\n').map((line) => line.split('\t'));
  for (const name of names) {
    const sha = lines.find((line) => line[1] === name)?.[0];
    if (sha) return sha;
  }
  return undefined;
}

async function remoteHeads(place: GitPlace, url: CheckedUrl): Promise<RemoteHead[]> {
  const which = ['ls-remote', '--quiet', '--heads', '--tags', '--end-of-options', url.url];
  const { code, stdout, stderr } = await git({ ...place, maxOutput: MAX_HEADS_BYTES }, which);
  if (code === 0) return headsOf(stdout);
  throwIfFatal(stderr);
  throw unreachable(stderr);
}

/** A branch or tag by its short name; a merge request's ref (`refs/merge-requests/1/head`, `refs/pull/1/head`) is whole. */
const fullNames = (ref: string): string[] =>
  ref.startsWith('refs/') ? [ref] : [`refs/heads/${ref}`, `refs/tags/${ref}`];

async function must(answer: Promise<{ code: number; stdout: string; stderr: string }>): Promise<string> {
  const { code, stdout, stderr } = await answer;
  if (code !== 0) throw unreachable(stderr);
  return stdout;
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
