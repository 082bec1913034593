/**
 * Sources from git: fetches one commit with a little history into a fresh private folder and returns it as a
 * tar. Caching between fetches is not its role. Invariants:
 *   GIT-1 No outside value reaches git as an option, another transport or a second line (`validate.ts`).
 *   GIT-2 Credentials are in a file of mode 0600 outside the checkout, bound to scheme, host and port: never
 *         in argv, environment, address or `.git`.
 *   GIT-3 No hook, filter, submodule or helper is executed.
 *   GIT-4 The folder is removed when `done` settles, whatever the outcome.
 */
import { join } from 'node:path';
import { DavitError } from '../../errors.ts';
import type { ChangedRequest, CommitFacts, RemoteHead, Source, SourceRequest } from '../ports.ts';
import { expectOk, throwIfFatal } from './git-errors.ts';
import { containsCommit } from './contains.ts';
import { changedIn, lastCommitsIn } from './changed.ts';
import { checkRef, checkSha, checkUrl, DEFAULT_PROTOCOLS, type CheckedUrl } from './validate.ts';
import { headsOf, MAX_HEADS_BYTES } from './heads.ts';
import { fetchLfs, hasLfsServer } from './lfs.ts';
import { pointersIn } from './lfs-pointers.ts';
import { packFolder } from './pack.ts';
import { basicAuth, inWorkspace, openWorkspace, removeWorkspace, type GitOptions } from './git-workspace.ts';
import {
  depthOption,
  emptyRepository,
  fetchInto,
  fullNames,
  inFolder,
  lsRemote,
  repositoryOf,
  type InRepo,
} from './repository.ts';
import type { GitWorkspace } from './run.ts';
import { fetchSubmodules, type SubmodulesContext } from './submodules.ts';

export type { GitOptions } from './git-workspace.ts';

/**
 * The Source port over the git command. Errors: `git/bad-request`, `git/no-commit`, `git/unreachable`,
 * `git/denied`.
 */
export function gitSource(options: GitOptions = {}): Source {
  const protocols = options.protocols ?? DEFAULT_PROTOCOLS;
  const asked = async (request: Omit<ChangedRequest, 'since'> & Partial<ChangedRequest>) => {
    const url = checkUrl(request.url, protocols);
    checkAll(request);
    return { url, place: await openWorkspace(options, url, request) };
  };
  return {
    async fetch(request) {
      const { url, place } = await asked(request);
      try {
        const commit = await checkout(place, url, request);
        const repo = repositoryOf(place);
        const of = { place, request };
        const lfs = await objectsOfLfs(options, { ...of, home: url, folder: repo });
        if (request.submodules)
          await submodules(options, {
            ...{ place, home: url, request: request.submodules, repo },
            each: async ({ name, folder, address, own }) => {
              // Another host is not asked for objects: who it is, the commit says.
              const { lfs: _none, ...pointersOnly } = request;
              const asked = own ? request : pointersOnly;
              const left = await objectsOfLfs(options, { place, request: asked, home: address, folder });
              lfs.push(...left.map((path) => `${name}/${path}`));
            },
          });
        const packed = packFolder(repo);
        const done = inWorkspace(place, packed.done);
        // The reader of the tar sees the same error; a caller that only awaits it must not crash the process.
        done.catch(() => undefined);
        return { tar: packed.tar, done, commit, ...(lfs.length > 0 && { lfs }) };
      } catch (error) {
        await removeWorkspace(place);
        throw error;
      }
    },
    async changed(request) {
      const { url, place } = await asked(request);
      return inWorkspace(place, changedIn(place, url.url, request));
    },
    async lastCommits(request) {
      const { url, place } = await asked(request);
      return inWorkspace(place, lastCommitsIn(place, url.url, request));
    },
    async contains(request) {
      const { url, place } = await asked(request);
      return inWorkspace(place, containsCommit(place, url.url, request));
    },
    async head(address, ref, auth) {
      const url = checkUrl(address, protocols);
      checkRef(ref);
      const place = await openWorkspace(options, url, { auth });
      return inWorkspace(place, remoteHead(place, url, ref));
    },
    async heads(request) {
      const url = checkUrl(request.url, protocols);
      const place = await openWorkspace(options, url, request);
      return inWorkspace(place, remoteHeads(place, url));
    },
  };
}

async function submodules(
  options: GitOptions,
  { repo, ...context }: Omit<SubmodulesContext, 'bare'> & { repo: string },
): Promise<void> {
  const bare = await openWorkspace(options, context.home, { signal: context.place.signal });
  await inWorkspace(bare, fetchSubmodules({ ...context, bare }, repo));
}

/** GIT-1, for one commit and those it is compared with. */
function checkAll({
  sha,
  ref,
  since = [],
}: Pick<SourceRequest, 'sha' | 'ref'> & Partial<ChangedRequest>): void {
  checkSha(sha);
  for (const name of [ref, ...since.map((one) => one.commit)]) checkRef(name);
}

/** Holds the fetched commit until HEAD does. */
const FETCHED = 'refs/davit/fetched';

async function checkout(place: GitWorkspace, url: CheckedUrl, request: SourceRequest): Promise<CommitFacts> {
  const inRepo = await emptyRepository(place, url.url); // without credentials (GIT-2)
  await expectOk(inRepo('config', 'remote.origin.fetch', '+refs/heads/*:refs/remotes/origin/*'));
  if (request.depth === 0) await wholeHistory(inRepo, url.url);
  // git follows tags of the commits that it fetches only if they get a ref: `git describe` needs them.
  const follow = { from: url.url, refs: [`${request.sha}:${FETCHED}`], tags: 'follow' } as const;
  const bySha = await fetchInto(inRepo, { ...follow, options: depthOption(request.depth) });
  if (bySha.code !== 0) {
    // Some servers provide only branch tips: fetch the whole ref, because the commit may be below any depth.
    throwIfFatal(bySha);
    for (const ref of fullNames(request.ref)) {
      const byRef = await fetchInto(inRepo, { from: url.url, refs: [ref] });
      if (byRef.code !== 0) throwIfFatal(byRef);
    }
  }
  const there = await inRepo('cat-file', '-e', `${request.sha}^{commit}`);
  if (there.code !== 0)
    throw new DavitError(
      'git/no-commit',
      `The repository has no commit ${request.sha.slice(0, 12)} (ref ${request.ref}).`,
    );
  await expectOk(inRepo('checkout', '--quiet', '--detach', '--no-recurse-submodules', request.sha));
  await expectOk(inRepo('update-ref', '-d', FETCHED));
  const facts = await expectOk(
    inRepo('log', '-1', '--no-show-signature', '--format=%an <%ae>%x00%cI%x00%B', request.sha),
  );
  const [author = '', timestamp = '', message = ''] = facts.split('\0');
  const tagMessage = request.tag ? await tagMessageOf(inRepo, url.url, request.ref) : undefined;
  return { author, timestamp, message: message.trimEnd(), ...(tagMessage !== undefined && { tagMessage }) };
}

/** Fetches them if they are asked for; returns the files that are still pointers. */
async function objectsOfLfs(
  { authorities, plainOrigins }: GitOptions,
  of: { place: GitWorkspace; home: CheckedUrl; request: SourceRequest; folder: string },
): Promise<string[]> {
  const { place, home, request, folder } = of;
  const inRepo = inFolder({ ...place, maxOutput: MAX_HEADS_BYTES }, folder);
  if (!request.lfs || !hasLfsServer(home)) {
    const { pointers, unreadable } = await pointersIn(folder, inRepo);
    return [...pointers.map(({ path }) => path), ...unreadable];
  }
  const auth = request.lfs.credentials ? request.auth : undefined;
  await fetchLfs({
    home,
    folder,
    inRepo,
    temp: join(place.root, 'lfs'),
    request: request.lfs,
    authorization: basicAuth(home, auth, plainOrigins),
    authorities,
    signal: place.signal,
  });
  return [];
}

/** As in GitLab with GIT_DEPTH 0: all branches and tags, so that `git describe` works. */
async function wholeHistory(inRepo: InRepo, url: string): Promise<void> {
  const all = ['+refs/heads/*:refs/remotes/origin/*', '+refs/tags/*:refs/tags/*'];
  const quiet = ['--quiet', '--no-recurse-submodules', '--no-write-fetch-head'];
  const fetched = await inRepo('fetch', ...quiet, '--end-of-options', url, ...all);
  if (fetched.code !== 0) throwIfFatal(fetched);
}

/** Fetches the tag itself; undefined for a lightweight tag, and for one that no longer exists. */
async function tagMessageOf(inRepo: InRepo, url: string, tag: string): Promise<string | undefined> {
  const name = `refs/tags/${tag}`;
  const fetched = await fetchInto(inRepo, { from: url, refs: [`+${name}:${name}`], options: ['--depth=1'] });
  if (fetched.code !== 0) return undefined;
  const shown = await inRepo('for-each-ref', '--format=%(objecttype)%00%(contents)', name);
  const [type, text = ''] = shown.stdout.split('\0');
  return type === 'tag' ? text.trimEnd() : undefined;
}

async function remoteHead(place: GitWorkspace, url: CheckedUrl, ref: string): Promise<string | undefined> {
  const names = fullNames(ref).flatMap((name) =>
    name.startsWith('refs/tags/') ? [`${name}^{}`, name] : [name],
  );
  const output = await lsRemote(place, url, { patterns: names });
  const lines = output.split('\n').map((line) => line.split('\t'));
  for (const name of names) {
    const sha = lines.find((line) => line[1] === name)?.[0];
    if (sha) return sha;
  }
  return undefined;
}

const remoteHeads = async (place: GitWorkspace, url: CheckedUrl): Promise<RemoteHead[]> =>
  headsOf(await lsRemote({ ...place, maxOutput: MAX_HEADS_BYTES }, url, { options: ['--heads', '--tags'] }));
