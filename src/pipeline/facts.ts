/** What `compile` must be told about the source before it can decide: git's answers are fetched only where a rule asks. */
import { readPipeline } from './compile.ts';
import type { JobConfig } from './config/job.ts';
import { Problems } from './problems.ts';
import type { CompileRequest } from './request.ts';
import { comparesWithBefore } from './rules/conditions.ts';
import { ConditionScopes, type ConditionScope } from './rules/scope.ts';
import { workflowReader } from './schema/keywords.ts';

export interface FactsNeeded {
  /** Keys of `CompileRequest.changed`. */
  changed: string[];
  /** `CompileRequest.files`. */
  files: boolean;
}

/** Never throws; a file with mistakes needs nothing more to be refused. */
export function factsNeeded(request: CompileRequest): FactsNeeded {
  const needed = { changed: new Set<string>(), files: false };
  const texts = [request.file.text, ...Object.values(request.included ?? {})];
  if (texts.some((text) => text && /\b(changes|exists)\b/.test(text))) {
    const problems = new Problems();
    const read = readPipeline(request, problems);
    if (read) {
      const scopes = new ConditionScopes(request, { file: read.file.variables });
      const workflow = read.file.workflow && workflowReader.read(read.file.workflow, problems);
      for (const rule of workflow?.rules ?? []) note(needed, rule, { request, scope: scopes.of() });
      for (const job of read.jobs.values()) noteJob(needed, job, { request, scopes });
    }
  }
  return { changed: [...needed.changed], files: needed.files };
}

type Needed = { changed: Set<string>; files: boolean };

function noteJob(
  needed: Needed,
  { name, values }: JobConfig,
  { request, scopes }: { request: CompileRequest; scopes: ConditionScopes },
): void {
  const stage = values.stage ?? 'test';
  const scope = scopes.of({ name, stage, environment: values.environment?.name });
  for (const rule of values.rules ?? []) note(needed, rule, { request, scope });
  for (const policy of [values.only, values.except])
    if (policy?.changes) note(needed, { changes: { paths: policy.changes } }, { request, scope });
}

interface Asking {
  changes?: { paths: readonly string[]; compare_to?: string };
  exists?: readonly string[];
}

function note(
  needed: Needed,
  rule: Asking,
  { request, scope }: { request: CompileRequest; scope: ConditionScope },
): void {
  if (rule.exists) needed.files = true;
  if (!rule.changes) return;
  const { compare_to } = rule.changes;
  if (compare_to !== undefined) needed.changed.add(scope.expand(compare_to));
  else if (comparesWithBefore(request.trigger)) needed.changed.add('');
}
