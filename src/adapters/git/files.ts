/**
 * Single files of repositories: the server lists its refs, then one commit is fetched without history and, if
 * the server supports that, without contents; git fetches the requested files when it reads them. Nothing of
 * the repository is executed, and links are not followed. Invariants as in `index.ts`.
 */
import { DavitError } from '../../errors.ts';
import type { Repositories, RepositoryRequest } from '../ports.ts';
import { throwIfFatal, unreachable } from './git-errors.ts';
import { checkSha, checkUrl, DEFAULT_PROTOCOLS, isRef, type CheckedUrl } from './validate.ts';
import { inWorkspace, openWorkspace, type GitOptions } from './git-workspace.ts';
import { depthOption, emptyRepository, fetchInto, lsRemote, type InRepo } from './repository.ts';
import { MAX_OUTPUT, type GitWorkspace } from './run.ts';

type FilesRequest = Parameters<Repositories['files']>[0];

const MAX_FILE = 1024 * 1024;
/** `refs/…` and HEAD, with at most a star at the end. */
const isPattern = (pattern: string): boolean => {
  const ref = pattern.replace(/\/\*$|\*$/, '');
  return pattern === 'HEAD' || ref === 'refs/tags' || (ref.startsWith('refs/') && isRef(ref));
};

/** The Repositories port over the git command. Errors as for `gitSource`. */
export function gitRepositories(options: GitOptions = {}): Repositories {
  const protocols = options.protocols ?? DEFAULT_PROTOCOLS;
  const opened = async <T>(
    request: RepositoryRequest,
    work: (place: GitWorkspace, url: CheckedUrl) => Promise<T>,
  ): Promise<T> => {
    const url = checkUrl(request.url, protocols);
    const place = await openWorkspace(options, url, request);
    return inWorkspace(place, work(place, url));
  };
  return {
    refs: (request) => opened(request, (place, url) => refsOf(place, url, request.patterns)),
    files(request) {
      checkSha(request.sha);
      return opened(request, (place, url) => filesOf(place, url, request));
    },
  };
}

async function refsOf(
  place: GitWorkspace,
  url: CheckedUrl,
  patterns: readonly string[],
): Promise<Record<string, string>> {
  const wrong = patterns.find((pattern) => !isPattern(pattern));
  if (wrong !== undefined)
    throw new DavitError('git/bad-request', 'A ref has a form that davit does not support.');
  const asked = patterns.flatMap((one) => (one.startsWith('refs/tags/') ? [one, `${one}^{}`] : [one]));
  const output = await lsRemote(place, url, { patterns: asked });
  const found: Record<string, string> = {};
  // Peeled tags follow the tags themselves, and replace them.
  for (const line of output.split('\n')) {
    const [sha, name] = line.split('\t');
    if (sha && name) found[name.replace(/\^\{\}$/, '')] = sha;
  }
  return found;
}

async function filesOf(
  place: GitWorkspace,
  url: CheckedUrl,
  { sha, paths, list }: FilesRequest,
): ReturnType<Repositories['files']> {
  const inRepo = await emptyRepository(place, url.url);
  await fetchCommit(inRepo, sha);
  const texts = await textsOf(inRepo, sha, paths);
  return list ? { texts, files: await listOf(inRepo, sha) } : { texts };
}

/** Rejects if the server does not have the commit, or refuses it. */
async function fetchCommit(inRepo: InRepo, sha: string): Promise<void> {
  const options = ['--filter=blob:none', ...depthOption(1)];
  const fetched = await fetchInto(inRepo, { from: 'origin', refs: [sha], options });
  if (fetched.code === 0) return;
  throwIfFatal(fetched);
  throw new DavitError('git/no-commit', `The repository does not provide the commit ${sha.slice(0, 12)}.`);
}

async function textsOf(
  inRepo: InRepo,
  sha: string,
  paths: readonly string[],
): Promise<Record<string, string | null>> {
  const texts: Record<string, string | null> = Object.fromEntries(paths.map((path) => [path, null]));
  if (paths.length === 0) return texts;
  const tree = await inRepo('--literal-pathspecs', 'ls-tree', '-z', '-r', sha, '--', ...paths);
  if (tree.code !== 0) throw unreachable(tree.stderr);
  const blobs = new Map<string, string>();
  for (const line of tree.stdout.split('\0')) {
    const [, , blob, path] = /^(100\d{3}) blob ([0-9a-f]+)\t(.+)$/s.exec(line) ?? [];
    if (blob && path !== undefined && path in texts) blobs.set(path, blob);
  }
  for (const [path, blob] of blobs) texts[path] = await textOf(inRepo, path, blob);
  return texts;
}

async function textOf(inRepo: InRepo, path: string, blob: string): Promise<string> {
  const size = await inRepo('cat-file', '-s', blob);
  if (size.code !== 0) throw unreachable(size.stderr);
  if (Number(size.stdout) >= MAX_FILE)
    throw new DavitError('source/refused', `${path} is larger than 1 MiB.`);
  const shown = await inRepo('cat-file', 'blob', blob);
  if (shown.code !== 0) throw unreachable(shown.stderr);
  if (shown.stdout.includes('\uFFFD')) throw new DavitError('source/refused', `${path} is not UTF-8 text.`);
  return shown.stdout;
}

async function listOf(inRepo: InRepo, sha: string): Promise<string[]> {
  const tree = await inRepo('ls-tree', '-z', '-r', '--name-only', sha);
  if (tree.code !== 0) throw unreachable(tree.stderr);
  if (tree.stdout.length >= MAX_OUTPUT - 4096)
    throw new DavitError('source/refused', 'The project has more files than davit can search.');
  return tree.stdout.split('\0').filter((path) => path !== '');
}
