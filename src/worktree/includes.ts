/**
 * Resolves includes of a local pipeline file: local files from the working tree, other projects by the
 * installation file of this machine or from checkouts given by `--project-path`, remote files from their
 * servers.
 */
import { join, resolve } from 'node:path';
import type { IncludeSession } from '../adapters/ports.ts';
import { readEnvSecret, type Settings } from '../config.ts';
import { DavitError } from '../errors.ts';
import type { Installation } from '../installation.ts';
import type { IncludeSource } from '../compiler/includes.ts';
import {
  includeKey,
  type IncludeAnswer,
  type IncludeAnswers,
  type IncludeWant,
} from '../plan/model/includes.ts';
import type { Trigger } from '../plan/model/trigger.ts';
import { filesOf, sourceFacts } from './changes.ts';
import { git, gitMaybe } from './git.ts';
import { findProject, type LocalProject } from './project.ts';
import { textOf } from './source-text.ts';

/** Instead of a SHA: the files of the working tree. */
const WORKING_TREE = 'working-tree';

export interface LocalSources {
  settings: Settings;
  installation: Installation;
  serverUrl: string;
  trigger: Trigger;
  /** Files are listed from this commit. */
  ref?: string;
  /** Files are read from this commit instead of the working tree. */
  commit?: string;
  /** Checkouts to use for other projects, by name, for every ref. */
  projectPaths?: Readonly<Record<string, string>>;
  /** Changed paths, instead of the ones that git reports. */
  changed?: string[];
}
type Elsewhere = Exclude<IncludeWant, { kind: 'remote' | 'template' }>;
const isElsewhere = (want: IncludeWant): want is Elsewhere =>
  want.kind !== 'remote' && want.kind !== 'template';

/** `read` rejects with `source/refused` if a file is too large or is not UTF-8 text. */
export function localIncludes(project: LocalProject, from: LocalSources): IncludeSource {
  const { trigger, ref, changed } = from;
  const session = sessionOnce(project, from);
  return {
    read: async (files) =>
      Object.fromEntries(
        await Promise.all(
          files.map(
            async (file): Promise<[string, string | null]> => [
              file,
              await textOf(project, file, from.commit),
            ],
          ),
        ),
      ),
    list: () => filesOf(project, ref),
    changed: async (names) =>
      changed
        ? Object.fromEntries(names.map((name) => [name, changed]))
        : (await sourceFacts(project, { needed: { changed: [...names], files: false }, trigger, ref }))
            .changed,
    elsewhere: (wants) => elsewhere(wants, { project, session, from }),
  };
}

/**
 * One session, with one time limit, for all includes of a file. It is opened on demand: most files need no
 * other project.
 */
function sessionOnce(project: LocalProject, from: LocalSources): () => Promise<IncludeSession> {
  let session: Promise<IncludeSession> | undefined;
  return () => (session ??= openSession(project, from));
}

async function openSession(
  project: LocalProject,
  { settings, installation, serverUrl: url }: LocalSources,
): Promise<IncludeSession> {
  const [{ wireIncludes }, { folderCopies }, { readingSecrets }] = await Promise.all([
    import('../wiring.ts'),
    import('../adapters/includes/copies.ts'),
    import('../adapters/secrets/index.ts'),
  ]);
  const secrets = readingSecrets(readEnvSecret);
  const copies = folderCopies(join(settings.cache, 'includes'));
  return wireIncludes({ config: installation, url }, { secrets, copies }).open({
    project: project.slug,
    fork: false,
  });
}

interface IncludeRequest {
  project: LocalProject;
  session: () => Promise<IncludeSession>;
  from: LocalSources;
}

/** Reads projects with a local checkout from it, and the others through git and the network. */
async function elsewhere(wants: readonly IncludeWant[], request: IncludeRequest): Promise<IncludeAnswers> {
  const answers: Record<string, IncludeAnswer> = {};
  const others: IncludeWant[] = [];
  for (const want of wants) {
    const answer = isElsewhere(want) ? await hereOf(want, request) : undefined;
    if (answer) answers[includeKey(want)] = answer;
    else others.push(want);
  }
  const fetched = others.length > 0 ? await (await request.session()).answer(others) : {};
  for (const [key, answer] of Object.entries(fetched))
    answers[key] = withProjectPathHint(answer, others, key);
  return answers;
}

/** The result from a folder on this machine; undefined if no folder is known for that project. */
async function hereOf(
  want: Elsewhere,
  { project, from }: IncludeRequest,
): Promise<IncludeAnswer | undefined> {
  const wanted = want.repository.path.toLowerCase();
  const pointed = Object.entries(from.projectPaths ?? {}).find(([name]) => name.toLowerCase() === wanted);
  if (pointed) return folderAnswer(await checkoutAt(pointed[1]), want);
  const own = from.installation.projects.find((one) => one.name === project.slug)?.repository;
  const { origin } = project;
  const names = [project.slug, own?.toLowerCase(), origin?.path.toLowerCase()];
  const { host } = want.repository;
  const isHere = host === undefined || (own === undefined && host === origin?.host);
  return names.includes(wanted) && isHere ? ownAnswer(project, want, from) : undefined;
}

async function checkoutAt(folder: string): Promise<LocalProject> {
  try {
    return await findProject(resolve(folder), '.');
  } catch (cause) {
    if (cause instanceof DavitError) throw cause;
    throw new DavitError('usage/invalid', `--project-path: the folder ${folder} does not exist.`, { cause });
  }
}

/** The working tree of a checkout, for every ref. */
async function folderAnswer(project: LocalProject, want: Elsewhere): Promise<IncludeAnswer> {
  if (want.kind === 'ref' || want.kind === 'version') return { sha: WORKING_TREE };
  if (want.kind === 'list') return { files: await filesOf(project, undefined) };
  return { text: await textOf(project, want.path) };
}

/** This project by its name: the working tree if there is no ref, else that commit. */
async function ownAnswer(
  project: LocalProject,
  want: Elsewhere,
  { commit }: Pick<LocalSources, 'commit'>,
): Promise<IncludeAnswer | undefined> {
  const { folder } = project;
  if (want.kind === 'ref' || want.kind === 'version') {
    const asked = want.kind === 'ref' ? want.ref : want.version;
    if (asked === undefined) return { sha: WORKING_TREE };
    for (const name of [`refs/tags/${asked}`, `refs/heads/${asked}`, `refs/remotes/origin/${asked}`, asked]) {
      const sha = await gitMaybe(folder, [
        'rev-parse',
        '--verify',
        '-q',
        '--end-of-options',
        `${name}^{commit}`,
      ]);
      // A component of the commit that is tried out: its working tree is.
      const tried = want.kind === 'version' && commit === undefined && sha === (await headOf(folder));
      if (sha) return { sha: tried ? WORKING_TREE : sha };
    }
    return undefined;
  }
  if (want.sha === WORKING_TREE) return folderAnswer(project, want);
  if (want.kind === 'list') return { files: await filesOf(project, want.sha) };
  const blob = await gitMaybe(folder, [
    'rev-parse',
    '--verify',
    '-q',
    '--end-of-options',
    `${want.sha}:./${want.path}`,
  ]);
  return { text: blob ? await git(folder, ['cat-file', 'blob', blob]) : null };
}

const headOf = (folder: string): Promise<string | undefined> =>
  gitMaybe(folder, ['rev-parse', '--verify', '-q', 'HEAD^{commit}']);

/** Adds a hint: with a checkout the installation file is not needed. */
function withProjectPathHint(
  answer: IncludeAnswer,
  wants: readonly IncludeWant[],
  key: string,
): IncludeAnswer {
  const want = wants.find((one) => includeKey(one) === key);
  if (!('refused' in answer) || !want || !isElsewhere(want)) return answer;
  const hint = `Use a local checkout: --project-path ${want.repository.path}=FOLDER. ${answer.refused.hint ?? ''}`;
  return { refused: { ...answer.refused, hint: hint.trim() } };
}
