/**
 * What `davit plan` shows for each job of the file: every keyword as resolved, and why the job is included or
 * not. Pure.
 */
import type { ExplainedJob } from '../request.ts';
import { plain, type Node, type Plain } from '../yaml/nodes.ts';
import type { Draft, Drafts } from '../draft/draft.ts';

/** Keywords that are already resolved: their results have other names. */
const CONSUMED: ReadonlySet<string> = new Set([
  'extends',
  'rules',
  'only',
  'except',
  'stage',
  'when',
  'allow_failure',
  'needs',
  'start_in',
  'variables',
  'interruptible',
]);

/** In file order. */
export const explain = (drafts: Drafts): ExplainedJob[] => drafts.all.map(explainDraft);

function explainDraft(draft: Draft): ExplainedJob {
  const { config, included, reason } = draft;
  const resolved: Record<string, Plain> = {
    name: draft.key,
    stage: draft.stage,
    when: included ? draft.when : 'never',
    allow_failure: Array.isArray(draft.allowFailure)
      ? { exit_codes: draft.allowFailure }
      : draft.allowFailure,
  };
  const own = included ? draft.needs : draft.listed?.filter((need) => !need.from);
  const others = (draft.listed ?? []).flatMap(({ from, job, artifacts }): Plain[] => {
    if (!from) return [];
    return 'mirrors' in from ? [{ pipeline: from.mirrors }] : [{ ...from, job, artifacts }];
  });
  if (own || others.length > 0)
    resolved.needs = [
      ...(own ?? []).map(({ job, artifacts, optional }) => ({ job, artifacts, optional })),
      ...others,
    ];
  if (included && draft.when === 'delayed') resolved.start_in = (draft.startInMs ?? 0) / 1_000;
  const variables = { ...mapOf(config.entries.get('variables')?.value), ...mapOf(draft.ruleVariables) };
  if (Object.keys(variables).length > 0) resolved.variables = variables;
  if (draft.interruptible) resolved.interruptible = true;
  for (const [key, entry] of config.entries)
    if (!CONSUMED.has(key)) resolved[key] = linesOf(draft, key) ?? plain(entry.value);
  return { key: draft.key, stage: draft.stage, included, why: reason, resolved };
}

/** Scripts as one flat list. */
function linesOf({ config: { values } }: Draft, key: string): string[] | undefined {
  if (key === 'script' || key === 'before_script' || key === 'after_script') return values[key];
  return undefined;
}

function mapOf(node: Node | undefined): Record<string, Plain> {
  const value = node && plain(node);
  return value !== null && typeof value === 'object' && !Array.isArray(value) ? value : {};
}
