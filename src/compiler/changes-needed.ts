/** What `compile` must know about the source: git is queried only for what a rule needs. */
import { readPipeline } from './compile.ts';
import { textsOf } from './includes.ts';
import { Problems } from './problems.ts';
import type { CompileRequest } from './request.ts';
import { comparesWithBefore } from './rules/conditions.ts';
import { remoteFilesKey } from '../match/path-patterns.ts';
import { ConditionScopes, type ConditionScope } from './rules/scope.ts';
import { workflowReader } from './schema/keyword-table.ts';
import type { JobConfig } from './job-config.ts';

export interface FactsNeeded {
  /** Keys of `CompileRequest.changed`. */
  changed: string[];
  /** `CompileRequest.files`. */
  files: boolean;
  /** Keys of `CompileRequest.lastCommits`. */
  lastCommits?: string[];
  /** For `CompileRequest.elsewhere`. */
  elsewhere?: Elsewhere[];
}
export interface Elsewhere {
  key: string;
  /** Full name at its forge. */
  project: string;
  /** Branch, tag or commit; absent: the default branch. */
  ref?: string;
}

/** Never throws; an invalid file needs nothing more. */
export function factsNeeded(request: CompileRequest): FactsNeeded {
  const needed: Needed = {
    changed: new Set(request.changedFor),
    files: false,
    elsewhere: new Map(),
    commits: new Set(),
  };
  if (textsOf(request).some((text) => /\b(changes|exists|files_commits)\b/.test(text))) {
    const problems = new Problems();
    const read = readPipeline(request, problems);
    if (read) {
      const scopes = new ConditionScopes(request, { file: read.file.variables });
      const workflow = read.file.workflow && workflowReader.read(read.file.workflow, problems);
      for (const rule of workflow?.rules ?? []) note(needed, rule, { request, scope: scopes.of() });
      for (const job of read.jobs.values()) noteJob(needed, job, { request, scopes });
    }
  }
  return {
    changed: [...needed.changed],
    files: needed.files,
    ...(needed.commits.size > 0 && { lastCommits: [...needed.commits] }),
    ...(needed.elsewhere.size > 0 && { elsewhere: [...needed.elsewhere.values()] }),
  };
}

type Needed = {
  changed: Set<string>;
  files: boolean;
  elsewhere: Map<string, Elsewhere>;
  commits: Set<string>;
};

function noteJob(
  needed: Needed,
  { name, values }: JobConfig,
  { request, scopes }: { request: CompileRequest; scopes: ConditionScopes },
): void {
  const stage = values.stage ?? 'test';
  const scope = scopes.of({ name, stage, environment: values.environment?.name });
  for (const rule of values.rules ?? []) note(needed, rule, { request, scope });
  for (const { key } of values.cache ?? [])
    if (typeof key === 'object') for (const file of key.files_commits ?? []) needed.commits.add(file);
  for (const policy of [values.only, values.except])
    if (policy?.changes) note(needed, { changes: {} }, { request, scope });
}

interface ChangeQuestion {
  changes?: { compare_to?: string };
  exists?: { project?: string; ref?: string };
}

function note(
  needed: Needed,
  rule: ChangeQuestion,
  { request, scope }: { request: CompileRequest; scope: ConditionScope },
): void {
  if (rule.exists) noteExists(needed, rule.exists, scope);
  if (!rule.changes) return;
  const { compare_to } = rule.changes;
  if (compare_to !== undefined) needed.changed.add(scope.expand(compare_to));
  else if (comparesWithBefore(request.trigger)) needed.changed.add('');
}

function noteExists(
  needed: Needed,
  { project, ref }: NonNullable<ChangeQuestion['exists']>,
  scope: ConditionScope,
): void {
  if (project === undefined) {
    needed.files = true;
    return;
  }
  const named = scope.expand(project);
  const at = ref === undefined ? undefined : scope.expand(ref);
  const key = remoteFilesKey(named, at);
  needed.elsewhere.set(key, { key, project: named, ...(at !== undefined && { ref: at }) });
}
