/** What conditions ask about the working tree: which files there are, and which have changed since when. */
import type { FactsNeeded } from '../compiler/changes-needed.ts';
import type { Trigger } from '../plan/model/trigger.ts';
import { git, gitMaybe } from './git.ts';
import type { LocalProject } from './project.ts';

export interface SourceFacts {
  changed?: Record<string, string[]>;
  files?: string[];
  lastCommits?: Record<string, string>;
}
interface Asked {
  needed: FactsNeeded;
  trigger: Pick<Trigger, 'before' | 'sha' | 'refKind' | 'mergeRequest'>;
  /** A commit in place of the working tree. */
  ref?: string;
}

/**
 * Paths are relative to the project. A merge request is compared with where it left its target branch, a push with what was
 * before it. Where git has no answer a key is left out. Rejects with `cli/no-git`.
 */
export async function sourceFacts(project: LocalProject, asked: Asked): Promise<SourceFacts> {
  const { needed } = asked;
  const facts: SourceFacts = {};
  if (needed.files) facts.files = await filesOf(project, asked.ref && asked.trigger.sha);
  if (needed.lastCommits && project.history)
    facts.lastCommits = await lastCommitsOf(project, needed.lastCommits, asked.trigger.sha);
  // Without commits there is nothing to compare: all counts as changed, and no ref is asked for.
  if (needed.changed.length === 0 || !project.history) return facts;
  facts.changed = {};
  for (const name of needed.changed) {
    const since = await commitOf(project, name, asked.trigger);
    if (since !== undefined) facts.changed[name] = await changedSince(project, since, asked);
  }
  return facts;
}

async function commitOf(
  { folder }: LocalProject,
  name: string,
  { before, sha, refKind, mergeRequest }: Asked['trigger'],
): Promise<string | undefined> {
  const other = name !== '' ? name : refKind === 'merge_request' ? mergeRequest?.targetBranch : undefined;
  if (other === undefined)
    return gitMaybe(folder, ['rev-parse', '--verify', '-q', '--end-of-options', `${before}^{commit}`]);
  for (const candidate of [other, `refs/remotes/origin/${other}`]) {
    const found = await gitMaybe(folder, [
      'rev-parse',
      '--verify',
      '-q',
      '--end-of-options',
      `${candidate}^{commit}`,
    ]);
    if (found) return gitMaybe(folder, ['merge-base', found, sha]);
  }
  return undefined;
}

async function lastCommitsOf(
  { folder }: LocalProject,
  paths: readonly string[],
  sha: string,
): Promise<Record<string, string>> {
  const commits: Record<string, string> = {};
  for (const path of paths) {
    const found = await gitMaybe(folder, ['log', '-1', '--format=%H', sha, '--', `:(glob)${path}`]);
    if (found) commits[path] = found;
  }
  return commits;
}

async function changedSince(
  project: LocalProject,
  since: string,
  { trigger, ref }: Asked,
): Promise<string[]> {
  const diff = ['diff', '--name-only', '-z', '--no-renames', '--no-ext-diff', '--relative'];
  const to = ref === undefined ? [since] : [since, trigger.sha];
  const paths = names(await git(project.folder, [...diff, ...to, '--']));
  if (ref !== undefined) return paths;
  const fresh = names(await git(project.folder, ['ls-files', '-z', '--others', '--exclude-standard']));
  return [...new Set([...paths, ...fresh])];
}

/** Every file of the working tree, or of a commit. */
export async function filesOf(project: LocalProject, sha: string | undefined): Promise<string[]> {
  if (sha) return names(await git(project.folder, ['ls-tree', '-r', '-z', '--name-only', sha]));
  if (!project.git) return (await import('./source-pack.ts')).everyFile(project.folder, '');
  return names(await git(project.folder, ['ls-files', '-z', '--cached', '--others', '--exclude-standard']));
}

const names = (text: string): string[] => text.split('\0').filter((name) => name !== '');
