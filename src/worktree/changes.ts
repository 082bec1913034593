/** Facts of the working tree that conditions need: its files, and the paths that have changed. */
import type { FactsNeeded } from '../compiler/changes-needed.ts';
import type { Trigger } from '../plan/model/trigger.ts';
import { git, gitMaybe } from './git.ts';
import type { LocalProject } from './project.ts';

export interface SourceFacts {
  changed?: Record<string, string[]>;
  files?: string[];
  lastCommits?: Record<string, string>;
}
interface FactsRequest {
  needed: FactsNeeded;
  trigger: Pick<Trigger, 'before' | 'sha' | 'refKind' | 'mergeRequest'>;
  /** A commit instead of the working tree. */
  ref?: string;
}

/**
 * Paths are relative to the project. A merge request is compared with its merge base, a push with the commit
 * before it. A key is missing if git cannot compare. Rejects with `cli/no-git`.
 */
export async function sourceFacts(project: LocalProject, request: FactsRequest): Promise<SourceFacts> {
  const { needed } = request;
  const facts: SourceFacts = {};
  if (needed.files) facts.files = await filesOf(project, request.ref && request.trigger.sha);
  if (needed.lastCommits && project.history)
    facts.lastCommits = await lastCommitsOf(project, needed.lastCommits, request.trigger.sha);
  // Without commits there is nothing to compare: everything counts as changed.
  if (needed.changed.length === 0 || !project.history) return facts;
  facts.changed = {};
  for (const name of needed.changed) {
    const since = await commitOf(project, name, request.trigger);
    if (since !== undefined) facts.changed[name] = await changedSince(project, since, request);
  }
  return facts;
}

async function commitOf(
  { folder }: LocalProject,
  name: string,
  { before, sha, refKind, mergeRequest }: FactsRequest['trigger'],
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
  { trigger, ref }: FactsRequest,
): Promise<string[]> {
  const diff = ['diff', '--name-only', '-z', '--no-renames', '--no-ext-diff', '--relative'];
  const range = ref === undefined ? [since] : [since, trigger.sha];
  const paths = names(await git(project.folder, [...diff, ...range, '--']));
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
