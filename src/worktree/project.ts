/** The project of a folder: where its pipeline file is, its name, and the state of git. */
import type { Stats } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { DavitError } from '../errors.ts';
import { isSlug } from '../plan/model/ids.ts';
import type { Origin } from '../plan/model/trigger.ts';
import { git, gitMaybe } from './git.ts';
import { originOf } from './remote.ts';

/** In order of preference. */
export const PIPELINE_FILES = ['.davit.yml', '.gitlab-ci.yml'] as const;

export interface LocalProject {
  /** Its root, whose files become the workspace. */
  folder: string;
  slug: string;
  /** Its name is that of a project of the installation file. */
  installed?: true;
  /** What tells it from other projects of the same name: its remote, else its folder. */
  identity: string;
  /** The project at its forge, as the remote `origin` names it. */
  origin?: Origin;
  /** True if the folder is the top of a git working tree with a commit. */
  history: boolean;
  /** True if git lists the files and knows which are ignored. */
  git: boolean;
}
export interface HeadFacts {
  ref: string;
  refKind: 'branch' | 'tag';
  sha: string;
  before: string;
  title: string;
  message: string;
  author: string;
  timestamp: string;
  defaultBranch: string;
}
export const NO_SHA = '0'.repeat(40);

/**
 * The nearest folder upwards with a pipeline file, up to the top of its git repository; the folder itself if
 * `file` is given or no pipeline file is found.
 */
export async function findProject(cwd: string, file?: string): Promise<LocalProject> {
  const start = await realpath(cwd);
  const top = await topOf(start);
  const folder = file ? start : ((await nearest(start, top)) ?? start);
  const atTop = top === folder;
  const [head, origin] = atTop
    ? await Promise.all([
        gitMaybe(folder, ['rev-parse', '--verify', '-q', 'HEAD^{commit}']),
        gitMaybe(folder, ['config', '--get', 'remote.origin.url']),
      ])
    : [];
  const named = originOf(origin);
  return {
    folder,
    slug: slugOf(origin, folder),
    identity: named ? `${named.host}/${named.path}` : origin || folder,
    ...(named && { origin: named }),
    history: head !== undefined,
    git: top !== undefined,
  };
}

/**
 * The folder that a named file belongs to: `cwd` if the file is below it, else the top of the file's git
 * repository, else the file's folder. `file` is relative to `folder`.
 */
export async function placeOf(cwd: string, named: string): Promise<{ folder: string; file: string }> {
  const path = resolve(cwd, named);
  const here = relative(await realpath(cwd), path);
  if (!isAbsolute(here) && here.split(sep)[0] !== '..') return { folder: cwd, file: here };
  const own = dirname(path);
  const folder = ((await isFolder(own)) ? await topOf(own) : undefined) ?? own;
  return { folder, file: relative(folder, path) };
}

/**
 * The top of the working tree that a folder is in, undefined for a folder that is in none. Rejects with `cli/no-git`
 * where git refuses the repository, such as one of another owner: without git, ignored files would be sent.
 */
async function topOf(folder: string): Promise<string | undefined> {
  try {
    return await realpath((await git(folder, ['rev-parse', '--show-toplevel'])).trimEnd());
  } catch (error) {
    if (error instanceof DavitError && NO_WORKING_TREE.test(error.message)) return undefined;
    throw error;
  }
}
const NO_WORKING_TREE = /not a git repository|must be run in a work tree/;

async function nearest(start: string, top: string | undefined): Promise<string | undefined> {
  for (let folder = start; ; folder = dirname(folder)) {
    for (const name of PIPELINE_FILES) if (await isFile(join(folder, name))) return folder;
    if (top === undefined || folder === top || dirname(folder) === folder) return undefined;
  }
}

/** The last part of the origin's address, else of the folder, as a project name. */
export function slugOf(origin: string | undefined, folder: string): string {
  const name =
    origin
      ?.replace(/\/+$/, '')
      .split(/[/:\\]/)
      .at(-1)
      ?.replace(/\.git$/, '') || basename(folder);
  const slug = name
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, '-')
    .replace(/^[^a-z0-9]+/, '')
    .slice(0, 63);
  return isSlug(slug) ? slug : 'project';
}

/** Path of the pipeline file, relative to the project. Rejects with `source/no-file`. */
export async function pipelineFile(project: LocalProject, named?: string): Promise<string> {
  for (const name of named ? [named] : PIPELINE_FILES)
    if (await isFile(join(project.folder, name))) return name;
  throw new DavitError(
    'source/no-file',
    `${project.folder} does not contain ${named ?? PIPELINE_FILES.join(' or ')}.`,
  );
}

const commitNamed = (folder: string, name: string): Promise<string | undefined> =>
  gitMaybe(folder, ['rev-parse', '--verify', '-q', '--end-of-options', `${name}^{commit}`]);

/** True if the branch, tag or commit exists. */
export const hasCommit = async ({ folder, history }: LocalProject, name: string): Promise<boolean> =>
  history && (await commitNamed(folder, name)) !== undefined;

/** Facts of HEAD or of a named commit. Rejects with `git/no-commit`. */
export async function headFacts(project: LocalProject, named?: string): Promise<HeadFacts> {
  const { folder } = project;
  if (!project.history) {
    if (named) throw new DavitError('git/no-commit', `${folder} has no commits, and therefore no ${named}.`);
    return freshFacts(project);
  }
  const [shown, ref, main] = await Promise.all([
    gitMaybe(folder, [
      ...['log', '-1', '--no-show-signature', '--format=%H%x00%P%x00%an <%ae>%x00%aI%x00%B'],
      ...['--end-of-options', `${named ?? 'HEAD'}^{commit}`, '--'],
    ]),
    refOf(folder, named),
    defaultBranch(folder),
  ]);
  if (!shown) throw new DavitError('git/no-commit', `${folder} has no commit "${named ?? 'HEAD'}".`);
  const [sha = '', parents = '', author = '', timestamp = '', message = ''] = shown.split('\0');
  return {
    ref: ref.ref ?? main,
    refKind: ref.refKind,
    sha,
    before: parents.split(' ')[0] || NO_SHA,
    title: message.split('\n')[0] || `working tree of ${project.slug}`,
    message: message.trim(),
    author,
    timestamp,
    defaultBranch: main,
  };
}

/** Without a ref it is the default branch. */
async function refOf(
  folder: string,
  named = 'HEAD',
): Promise<Pick<HeadFacts, 'refKind'> & { ref: string | undefined }> {
  const [full, current] = await Promise.all([
    // Without --verify, git 2.39 prints the next option as well.
    gitMaybe(folder, ['rev-parse', '--verify', '-q', '--symbolic-full-name', '--end-of-options', named]),
    gitMaybe(folder, ['symbolic-ref', '-q', '--short', 'HEAD']),
  ]);
  const branch = /^refs\/heads\/(.+)$/.exec(full ?? '')?.[1];
  if (branch) return { ref: branch, refKind: 'branch' };
  const tag = /^refs\/tags\/(.+)$/.exec(full ?? '')?.[1];
  if (tag) return { ref: tag, refKind: 'tag' };
  const remote = /^refs\/remotes\/[^/]+\/(.+)$/.exec(full ?? '')?.[1];
  // A SHA or a detached HEAD: the branch that is checked out, if there is one.
  return { ref: remote ?? (current || undefined), refKind: 'branch' };
}

async function defaultBranch(folder: string): Promise<string> {
  const names = ['main', 'master'];
  const [remote, local] = await Promise.all([
    gitMaybe(folder, ['symbolic-ref', '-q', '--short', 'refs/remotes/origin/HEAD']),
    gitMaybe(folder, [
      'for-each-ref',
      '--format=%(refname:short)',
      ...names.map((name) => `refs/heads/${name}`),
    ]),
  ]);
  if (remote) return remote.replace(/^[^/]+\//, '');
  const there = (local ?? '').split('\n');
  return names.find((name) => there.includes(name)) ?? 'main';
}

/** For a folder without commits: the source gets its own commit, whose SHA is known once it is created. */
const freshFacts = (project: LocalProject): HeadFacts => ({
  ref: 'main',
  refKind: 'branch',
  sha: NO_SHA,
  before: NO_SHA,
  title: `working tree of ${project.slug}`,
  message: `working tree of ${project.slug}`,
  author: 'davit <davit@localhost>',
  timestamp: new Date().toISOString(),
  defaultBranch: 'main',
});

const isFile = async (path: string): Promise<boolean> => (await statMaybe(path))?.isFile() ?? false;
const isFolder = async (path: string): Promise<boolean> => (await statMaybe(path))?.isDirectory() ?? false;

async function statMaybe(path: string): Promise<Stats | undefined> {
  try {
    return await stat(path);
  } catch {
    return undefined; // it does not exist
  }
}
