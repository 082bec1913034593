/** What `compile` must know about the source: git is queried only for what a rule needs. */
import { readPipeline, type Read } from './compile.ts';
import { makeDrafts, type Draft } from './draft/draft.ts';
import { textsOf } from './includes.ts';
import { Problems } from './problems.ts';
import type { CompileRequest } from './request.ts';
import { comparesWithBefore } from './rules/conditions.ts';
import { remoteFilesKey } from '../match/path-patterns.ts';
import { ConditionScopes, type ConditionScope } from './rules/scope.ts';
import { workflowReader } from './schema/keyword-table.ts';
import { ruleKey, itemNodes } from './yaml/rule-nodes.ts';

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
    if (read) noteAll(needed, { ...read, request, problems });
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

/** Which rule of `workflow` matches is not known yet, so its variables count as set and as not set. */
function noteAll(
  needed: Needed,
  { file, jobs, request, problems }: Read & { request: CompileRequest; problems: Problems },
): void {
  const layers = { file: file.variables };
  const bare = new ConditionScopes(request, layers);
  const workflow = file.workflow && workflowReader.read(file.workflow, problems);
  for (const rule of workflow?.rules ?? []) note(needed, rule, { request, scope: bare.of() });
  const byRule = itemNodes(ruleKey(file.workflow, 'rules')).flatMap((node) => {
    const variables = ruleKey(node, 'variables');
    return variables ? [new ConditionScopes(request, { ...layers, workflow: variables })] : [];
  });
  for (const draft of makeDrafts(file, jobs, { request, problems }).all)
    for (const scopes of [bare, ...byRule]) noteJob(needed, draft, { request, scope: scopes.of(draft) });
}

function noteJob(needed: Needed, { config: { values } }: Draft, context: NoteContext): void {
  for (const rule of values.rules ?? []) note(needed, rule, context);
  for (const { key } of values.cache ?? [])
    if (typeof key === 'object') for (const file of key.files_commits ?? []) needed.commits.add(file);
  for (const policy of [values.only, values.except])
    if (policy?.changes) note(needed, { changes: {} }, context);
}

interface NoteContext {
  request: CompileRequest;
  scope: ConditionScope;
}
interface ChangeQuestion {
  changes?: { compare_to?: string };
  exists?: { project?: string; ref?: string };
}

function note(needed: Needed, rule: ChangeQuestion, { request, scope }: NoteContext): void {
  if (rule.exists) noteExists(needed, rule.exists, scope);
  if (!rule.changes) return;
  const { compare_to } = rule.changes;
  if (compare_to !== undefined) needed.changed.add(scope.expandPath(compare_to, true));
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
  const named = scope.expandPath(project, false);
  const at = ref === undefined ? undefined : scope.expandPath(ref, false);
  const key = remoteFilesKey(named, at);
  needed.elsewhere.set(key, { key, project: named, ...(at !== undefined && { ref: at }) });
}
