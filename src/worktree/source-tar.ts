/**
 * The working tree as `davit run` uploads it: with uncommitted changes, without ignored files, and with a
 * real `.git` of a few commits.
 *
 * Invariants:
 * SOURCE-1 No path leads outside the project; links stay links and are never followed.
 * SOURCE-2 The tree is only read; everything created is in a private temporary folder, which is removed at
 *          the end.
 * SOURCE-3 Modes are open (any user of an image can read, write and delete), the owner is root.
 */
import { chmod } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { pathToFileURL } from 'node:url';
import { removeTempFolder, sweepFolders, tempFolder } from '../adapters/temp.ts';
import { USUAL_DEPTH, WHOLE } from '../plan/policy/git-depth.ts';
import { git } from './git.ts';
import { everyFile, packEntries, statOf, withGit, type Entry } from './source-pack.ts';
import { headFacts, type HeadFacts, type LocalProject } from './project.ts';

const IDENTITY = ['-c', 'user.name=davit', '-c', 'user.email=davit@localhost', '-c', 'commit.gpgSign=false'];

export interface SourceTar {
  facts: HeadFacts;
  /** Folders that are left out, for a warning. */
  submodules: string[];
  /** Files that are left out because their names are not UTF-8, for a warning. */
  unnamed: string[];
  tar: Readable;
  /** Settles when the tar has been read or destroyed, and the temporary folder is removed. */
  done: Promise<void>;
}

/**
 * `ref`: a commit instead of the working tree; `depth`: GIT_DEPTH. Rejects with `cli/no-git` or
 * `git/no-commit`.
 */
export async function sourceTar(
  project: LocalProject,
  ref?: string,
  depth: number = USUAL_DEPTH,
): Promise<SourceTar> {
  const facts = await headFacts(project, ref);
  await sweepFolders(); // left by a killed `davit run`
  const folder = await tempFolder('source');
  try {
    await chmod(folder, 0o700);
    const made = await collect(project, { folder, facts, ref, depth });
    const packed = packEntries(made.entries);
    const done = removeAfter(packed.done, folder);
    done.catch(() => undefined); // the reader of `tar` sees the same error
    const { facts: sent, submodules, unnamed } = made;
    return { facts: sent, submodules, unnamed, tar: packed.tar, done };
  } catch (error) {
    await removeTempFolder(folder);
    throw error;
  }
}

async function removeAfter(work: Promise<void>, folder: string): Promise<void> {
  try {
    await work;
  } finally {
    await removeTempFolder(folder);
  }
}

interface SourceTarRequest {
  folder: string;
  facts: HeadFacts;
  ref: string | undefined;
  depth: number;
}
interface CollectedSource {
  facts: HeadFacts;
  submodules: string[];
  unnamed: string[];
  entries: Entry[];
}

async function collect(project: LocalProject, request: SourceTarRequest): Promise<CollectedSource> {
  const { folder, facts, ref, depth } = request;
  const repo = join(folder, 'repo');
  if (!project.history) {
    const listed = await workingFiles(project);
    const sha = await freshCommit(project, repo, listed.files);
    return {
      facts: { ...facts, sha },
      submodules: listed.submodules,
      unnamed: listed.unnamed,
      entries: await withGit(project.folder, repo, listed.files),
    };
  }
  const clone = { repo, sha: facts.sha, ref: facts.refKind === 'branch' ? facts.ref : undefined, depth };
  if (ref !== undefined) {
    await shallowClone(project, clone);
    await git(repo, ['checkout', '-q', '--force', facts.sha]);
    const listed = await trackedFiles(repo);
    const { submodules, unnamed, files } = listed;
    return { facts, submodules, unnamed, entries: await withGit(repo, repo, files) };
  }
  // Only the index is from the commit, so that `git status` in the job shows uncommitted changes.
  const cloned = shallowClone(project, clone).then(() => git(repo, ['read-tree', 'HEAD']));
  // Both are awaited, even if one fails: the folder must not be removed while git writes to it.
  const [listed, done] = await Promise.allSettled([workingFiles(project), cloned]);
  if (listed.status === 'rejected') throw listed.reason;
  if (done.status === 'rejected') throw done.reason;
  const { files, submodules, unnamed } = listed.value;
  return { facts, submodules, unnamed, entries: await withGit(project.folder, repo, files) };
}

/** Holds the fetched commit until HEAD does. */
const FETCHED = 'refs/davit/fetched';

/** A separate clone, without the user's hooks, credentials, remotes and stashes. */
async function shallowClone(
  project: LocalProject,
  { repo, sha, ref, depth }: { repo: string; sha: string; ref: string | undefined; depth: number },
): Promise<void> {
  const initial = `--initial-branch=${ref ?? 'main'}`;
  await git(project.folder, ['init', '-q', '--template=', initial, '--end-of-options', repo]);
  const from = pathToFileURL(project.folder).href;
  // Protocol 2 serves any commit by its SHA, even without a ref.
  const allow = ['-c', 'protocol.file.allow=always', '-c', 'protocol.version=2'];
  const quiet = ['-q', '--no-recurse-submodules', '--no-write-fetch-head', '--update-head-ok'];
  const branch = ref === undefined ? undefined : `refs/heads/${ref}`;
  // A shallow project can only provide the history that it has.
  const tags = ['--no-tags', from, branch ? `${sha}:${branch}` : sha, '+refs/tags/*:refs/tags/*'];
  // git follows tags of the commits that it fetches only if they get a ref.
  const history = depth === WHOLE ? tags : [`--depth=${depth}`, from, `${sha}:${branch ?? FETCHED}`];
  await git(repo, [
    ...allow,
    'fetch',
    ...quiet,
    ...(depth === WHOLE ? ['--update-shallow'] : []),
    ...history,
  ]);
  if (branch) return;
  await git(repo, ['update-ref', '--no-deref', 'HEAD', sha]);
  if (depth !== WHOLE) await git(repo, ['update-ref', '-d', FETCHED]);
}

/** A repository with one commit of exactly these files, for a folder without commits. */
async function freshCommit(project: LocalProject, repo: string, files: string[]): Promise<string> {
  await git(project.folder, ['init', '-q', '--template=', '--initial-branch=main', '--end-of-options', repo]);
  const gitDir = join(repo, '.git');
  const work = ['--git-dir', gitDir, '--work-tree', project.folder];
  for (let index = 0; index < files.length; index += 500) {
    const batch = files.slice(index, index + 500).map((name) => `:(top,literal)${name}`);
    await git(project.folder, [...work, 'add', '-f', '--', ...batch]);
  }
  const message = `working tree of ${project.slug}`;
  await git(project.folder, [
    ...work,
    ...IDENTITY,
    'commit',
    '-q',
    '--no-verify',
    '--allow-empty',
    '-m',
    message,
  ]);
  return (await git(repo, ['rev-parse', 'HEAD'])).trim();
}

/** What a name that is not UTF-8 has in its place; no file is found under it. A tar of davit has UTF-8 names only. */
const REPLACED = '\uFFFD';

interface Listed {
  files: string[];
  submodules: string[];
  unnamed: string[];
}

/** Tracked and new files that are not ignored; all files if there is no git. */
async function workingFiles(project: LocalProject): Promise<Listed> {
  if (!project.git)
    return { files: (await everyFile(project.folder, '')).sort(), submodules: [], unnamed: [] };
  const listed = await git(project.folder, ['ls-files', '-z', '-c', '-o', '--exclude-standard']);
  const names = [...new Set(listed.split('\0').filter((name) => name !== ''))].sort();
  const files: string[] = [];
  const submodules: string[] = [];
  const unnamed: string[] = [];
  const links = new LinkedFolders(project.folder);
  for (const name of names) {
    // git still lists what was in a folder that is a link now; it is gone, and the link is listed itself.
    if (await links.leadTo(name)) continue;
    const found = await statOf(join(project.folder, name));
    if (found?.isDirectory()) submodules.push(name.replace(/\/$/, ''));
    else if (found) files.push(name);
    else if (name.includes(REPLACED)) unnamed.push(name); // others are tracked files that were deleted
  }
  return { files, submodules, unnamed };
}

/** Which files of a tree are behind a link. SOURCE-1 */
class LinkedFolders {
  readonly #root: string;
  readonly #known = new Map<string, Promise<boolean>>();

  constructor(root: string) {
    this.#root = root;
  }

  leadTo(name: string): Promise<boolean> {
    const folder = dirname(name);
    return folder === '.' ? Promise.resolve(false) : this.#isLinked(folder);
  }

  #isLinked(folder: string): Promise<boolean> {
    const known = this.#known.get(folder) ?? this.#look(folder);
    this.#known.set(folder, known);
    return known;
  }

  async #look(folder: string): Promise<boolean> {
    if (await this.leadTo(folder)) return true;
    return (await statOf(join(this.#root, folder)))?.isSymbolicLink() ?? false;
  }
}

async function trackedFiles(repo: string): Promise<Listed> {
  const lines = (await git(repo, ['ls-files', '-z', '--stage'])).split('\0').filter((line) => line !== '');
  const named = lines.map((line) => ({
    link: line.startsWith('160000'),
    name: line.slice(line.indexOf('\t') + 1),
  }));
  const files = named.filter((one) => !one.link).map((one) => one.name);
  const odd = files.filter((name) => name.includes(REPLACED));
  const found = await Promise.all(odd.map((name) => statOf(join(repo, name))));
  return {
    files,
    submodules: named.filter((one) => one.link).map((one) => one.name),
    unnamed: odd.filter((_, index) => !found[index]),
  };
}
