/**
 * The submodules of a checkout: each at the commit that its parent pins, at the path where its parent has it.
 * Invariants:
 *   SUBMODULE-1 The project's credentials go to the host of the project's own address and to no other; for a
 *               commit from a fork they go nowhere.
 *   SUBMODULE-2 Another host is contacted over https alone, at an address that was checked for this
 *               connection: public, or of a host that the installation allows.
 *   SUBMODULE-3 The commit of the gitlink is checked out, never a branch.
 *   SUBMODULE-4 A path comes from the parent's tree, not from .gitmodules, so it cannot lead out of the
 *               checkout.
 */
import { lookup } from 'node:dns/promises';
import { mkdir } from 'node:fs/promises';
import { posix } from 'node:path';
import { DavitError } from '../../errors.ts';
import { wildcardMatches } from '../../match/wildcard.ts';
import { isPublicAddress } from '../http/public-address.ts';
import type { SubmoduleRequest } from '../ports.ts';
import { expectOkFromServer, throwIfFatal } from './git-errors.ts';
import { checkSha, checkUrl, type CheckedUrl } from './validate.ts';
import { createRepository, depthOption, fetchInto, inFolder } from './repository.ts';
import { git, type GitWorkspace } from './run.ts';
import { addressOf } from './submodule-address.ts';

const MAX_SUBMODULES = 200;
const MAX_LEVELS = 10;

export interface SubmodulesContext {
  /** With the project's credentials, and without any (SUBMODULE-1). */
  place: GitWorkspace;
  bare: GitWorkspace;
  /** Address of the project itself. */
  home: CheckedUrl;
  request: SubmoduleRequest;
  /** After the checkout of each. */
  each(submodule: Submodule): Promise<void>;
}
export interface Submodule {
  /** Its path in the project. */
  name: string;
  folder: string;
  address: CheckedUrl;
  /** On the project's own host. */
  own: boolean;
}
interface Level {
  folder: string;
  /** Address of the parent repository. */
  url: string;
  /** Its path in the project: '' or `lib/`. */
  prefix: string;
  depth: number;
}
interface Module {
  path: string;
  sha: string;
  url: string;
}

/**
 * Rejects with `git/denied`, `git/no-commit`, `git/bad-request` and `git/unreachable`, naming the submodule.
 */
export async function fetchSubmodules(context: SubmodulesContext, folder: string): Promise<void> {
  const open: Level[] = [{ folder, url: context.home.url, prefix: '', depth: 1 }];
  let count = 0;
  for (let level = open.shift(); level; level = open.shift())
    for (const module of await modulesOf(context, level)) {
      count += 1;
      if (count > MAX_SUBMODULES)
        throw new DavitError('git/bad-request', `The source has more than ${MAX_SUBMODULES} submodules.`);
      const name = `${level.prefix}${module.path}`;
      const inside = posix.join(level.folder, module.path);
      const { url } = await withSubmoduleName(name, async () => {
        const from = await fetchOne(context, { module, parent: level.url, folder: inside });
        await context.each({ name, folder: inside, ...from });
        return from.address;
      });
      if (!context.request.recursive) continue;
      if (level.depth >= MAX_LEVELS)
        throw new DavitError('git/bad-request', `Submodules are nested deeper than ${MAX_LEVELS} levels.`);
      open.push({ folder: inside, url, prefix: `${name}/`, depth: level.depth + 1 });
    }
}

/** An error names its submodule. */
async function withSubmoduleName<T>(name: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof DavitError)) throw error;
    throw new DavitError(error.code, `Submodule ${name}: ${error.message}`, { cause: error });
  }
}

/** The requested submodules that have an address in .gitmodules and a gitlink in the commit. */
async function modulesOf(context: SubmodulesContext, { folder, prefix }: Level): Promise<Module[]> {
  const listed = await git(context.bare, [
    '-C',
    folder,
    'config',
    '-z',
    '--blob=HEAD:.gitmodules',
    '--get-regexp',
    '^submodule\\..*\\.(path|url)$',
  ]);
  if (listed.code !== 0) return []; // the file does not exist, or is empty
  const named = new Map<string, { path?: string; url?: string }>();
  for (const entry of listed.stdout.split('\0')) {
    const found = /^submodule\.(.*)\.(path|url)\n(.*)$/s.exec(entry);
    if (!found?.[1]) continue;
    const one = named.get(found[1]) ?? {};
    named.set(found[1], { ...one, [found[2] === 'path' ? 'path' : 'url']: found[3] });
  }
  const modules: Module[] = [];
  for (const { path, url } of named.values()) {
    if (path === undefined || url === undefined || (prefix === '' && !wanted(path, context.request.paths)))
      continue;
    const sha = await gitlinkOf(context.bare, folder, path);
    if (sha !== undefined) modules.push({ path, sha, url });
  }
  return modules;
}

/** SUBMODULE-3, SUBMODULE-4: undefined if the commit has no submodule at this path. */
async function gitlinkOf(bare: GitWorkspace, folder: string, path: string): Promise<string | undefined> {
  const parts = path.split('/');
  if (parts.some((part) => part === '' || part === '.' || part === '..' || /^\.git$/i.test(part)))
    throw new DavitError('git/bad-request', 'A submodule has a path that leads out of the project.');
  const tree = await git(bare, [
    '--literal-pathspecs',
    '-C',
    folder,
    'ls-tree',
    '-z',
    '--full-tree',
    'HEAD',
    '--',
    path,
  ]);
  const [line = ''] = tree.stdout.split('\0');
  const found = /^160000 commit ([0-9a-f]+)\t(.*)$/s.exec(line);
  return found?.[1] && found[2] === path ? checkSha(found[1]) : undefined;
}

/** GIT_SUBMODULE_PATHS: included paths and patterns, and `:(exclude)PATH` for excluded ones. */
export function wanted(path: string, patterns: readonly string[]): boolean {
  const excluded = (pattern: string): string | undefined => /^:(?:\(exclude\)|!|\^)(.*)$/.exec(pattern)?.[1];
  const matches = (pattern: string): boolean => {
    const bare = pattern.replace(/\/+$/, '');
    return path === bare || path.startsWith(`${bare}/`) || wildcardMatches(bare, path);
  };
  const no = patterns.flatMap((pattern) => excluded(pattern) ?? []);
  const yes = patterns.filter((pattern) => excluded(pattern) === undefined);
  return (yes.length === 0 || yes.some(matches)) && !no.some(matches);
}

/** Returns the address that it came from; its own submodules are relative to it. */
async function fetchOne(
  context: SubmodulesContext,
  { module, parent, folder }: { module: Module; parent: string; folder: string },
): Promise<Pick<Submodule, 'address' | 'own'>> {
  const address = addressOf(module.url, { parent, home: context.home });
  const checked = checkUrl(address.url, context.place.protocols);
  // The machine's ssh key is a credential like any other.
  if (checked.protocol === 'ssh' && !context.request.credentials)
    throw new DavitError(
      'git/bad-request',
      'it is fetched over ssh, and a pipeline of a fork has no credentials.',
    );
  const place = address.own && context.request.credentials ? context.place : context.bare;
  const pinned = address.own ? [] : await pinnedAddress(checked, context.request.allowHosts);
  const inRepo = inFolder(place, folder, pinned);
  await mkdir(folder, { recursive: true });
  await createRepository(inRepo, checked.url);
  const fetch = (refs: string[], options: string[]) =>
    fetchInto(inRepo, { from: checked.url, refs, options });
  const bySha = await fetch([module.sha], depthOption(context.request.depth));
  if (bySha.code !== 0) {
    // Some servers provide only branch tips.
    throwIfFatal(bySha);
    await expectOkFromServer(fetch(['+refs/heads/*:refs/remotes/origin/*', '+refs/tags/*:refs/tags/*'], []));
  }
  const out = await inRepo('checkout', '--quiet', '--detach', '--no-recurse-submodules', module.sha);
  if (out.code !== 0)
    throw new DavitError('git/no-commit', `its repository has no commit ${module.sha.slice(0, 12)}.`);
  return { address: checked, own: address.own };
}

/** SUBMODULE-2: git connects to the address that was checked, even if the name changes later. */
async function pinnedAddress({ url }: CheckedUrl, allowHosts: readonly string[]): Promise<string[]> {
  const { hostname, host, port, protocol } = new URL(url);
  if (protocol !== 'https:')
    throw new DavitError(
      'git/bad-request',
      `${host} is not the project's own host, and is contacted over https only.`,
    );
  const bare = hostname.replace(/^\[|\]$/g, '');
  const found = await lookup(bare, { all: true, verbatim: true }).catch((cause: unknown) => {
    throw new DavitError('git/unreachable', `Cannot resolve the name ${hostname}.`, { cause });
  });
  const allowed = allowHosts.includes(host) || allowHosts.includes(hostname);
  const good = found.filter(({ address }) => allowed || isPublicAddress(address));
  const [first] = good;
  if (!first)
    throw new DavitError('git/bad-request', `${host} is not a public address.`, {
      hint: 'An operator can add it to includes.allow_hosts in the installation file.',
    });
  const target = first.family === 6 ? `[${first.address}]` : first.address;
  return ['-c', `http.curloptResolve=${bare}:${port || '443'}:${target}`];
}
