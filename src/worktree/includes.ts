/**
 * What a pipeline file of this folder includes: local files from the working tree, other projects by the installation file of
 * this machine, or from checkouts that a person points at, remote files from their servers.
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

/** In place of a commit: the files as they are now. */
const WORKING_TREE = 'working-tree';

export interface LocalSources {
  settings: Settings;
  installation: Installation;
  serverUrl: string;
  trigger: Trigger;
  /** Files are listed from this commit. */
  ref?: string;
  /** Its texts are read in place of the working tree's. */
  commit?: string;
  /** Checkouts that stand for other projects, whatever ref is asked for: by name. */
  projectPaths?: Readonly<Record<string, string>>;
  /** Paths that have changed, in place of git's answer. */
  changed?: string[];
}
type Elsewhere = Exclude<IncludeWant, { kind: 'remote' }>;

/** `read` rejects with `source/refused` for what is no UTF-8 text, or too large. */
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

/** One session, with its time limit, for all that one file includes. Most include nothing from elsewhere: the adapters wait. */
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

/** A folder answers for its project, git and the network for the rest. */
async function elsewhere(wants: readonly IncludeWant[], asking: IncludeRequest): Promise<IncludeAnswers> {
  const answers: Record<string, IncludeAnswer> = {};
  const others: IncludeWant[] = [];
  for (const want of wants) {
    const answer = want.kind === 'remote' ? undefined : await hereOf(want, asking);
    if (answer) answers[includeKey(want)] = answer;
    else others.push(want);
  }
  const answered = others.length > 0 ? await (await asking.session()).answer(others) : {};
  for (const [key, answer] of Object.entries(answered)) answers[key] = withWayOut(answer, others, key);
  return answers;
}

/** The answer of a folder on this machine; undefined: no folder stands for that project. */
async function hereOf(
  want: Elsewhere,
  { project, from }: IncludeRequest,
): Promise<IncludeAnswer | undefined> {
  const wanted = want.repository.path.toLowerCase();
  const pointed = Object.entries(from.projectPaths ?? {}).find(([name]) => name.toLowerCase() === wanted);
  if (pointed) return folderAnswer(await checkoutAt(pointed[1]), want);
  const own = from.installation.projects.find((one) => one.name === project.slug)?.repository;
  const isOwn = wanted === project.slug || wanted === own?.toLowerCase();
  return isOwn && want.repository.host === undefined ? ownAnswer(project, want) : undefined;
}

async function checkoutAt(folder: string): Promise<LocalProject> {
  try {
    return await findProject(resolve(folder), '.');
  } catch (cause) {
    if (cause instanceof DavitError) throw cause;
    throw new DavitError('usage/invalid', `--project-path: there is no folder ${folder}.`, { cause });
  }
}

/** The working tree of a checkout, whatever ref was asked for. */
async function folderAnswer(project: LocalProject, want: Elsewhere): Promise<IncludeAnswer> {
  if (want.kind === 'ref' || want.kind === 'version') return { sha: WORKING_TREE };
  if (want.kind === 'list') return { files: await filesOf(project, undefined) };
  return { text: await textOf(project, want.path) };
}

/** This project by its name: the working tree where no ref is named, else that commit. */
async function ownAnswer(project: LocalProject, want: Elsewhere): Promise<IncludeAnswer | undefined> {
  const { folder } = project;
  if (want.kind === 'version') return undefined;
  if (want.kind === 'ref') {
    if (want.ref === undefined) return { sha: WORKING_TREE };
    for (const name of [
      `refs/tags/${want.ref}`,
      `refs/heads/${want.ref}`,
      `refs/remotes/origin/${want.ref}`,
      want.ref,
    ]) {
      const sha = await gitMaybe(folder, [
        'rev-parse',
        '--verify',
        '-q',
        '--end-of-options',
        `${name}^{commit}`,
      ]);
      if (sha) return { sha };
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

/** Who has a checkout can go on without the installation's help. */
function withWayOut(answer: IncludeAnswer, wants: readonly IncludeWant[], key: string): IncludeAnswer {
  const want = wants.find((one) => includeKey(one) === key);
  if (!('refused' in answer) || !want || want.kind === 'remote') return answer;
  const hint = `Point at a checkout of it: --project-path ${want.repository.path}=FOLDER. ${answer.refused.hint ?? ''}`;
  return { refused: { ...answer.refused, hint: hint.trim() } };
}
