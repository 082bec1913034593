/**
 * A job that releases under a new tag in each pipeline, and also runs in pipelines of tags: its tag starts a pipeline, which
 * releases the next.
 */
import type { Draft } from '../draft/draft.ts';
import { placeIn } from '../job-config.ts';
import { workflowReader } from '../schema/keyword-table.ts';
import type { Rule, WorkflowRule } from '../schema/keywords/rules.ts';
import type { LintContext } from './lint-context.ts';

/** Each pipeline has another value; that of a commit is the same in the pipeline of its tag. */
const NEW_EACH_TIME = /\$\{?(CI_PIPELINE_I?ID|CI_PIPELINE_CREATED_AT|CI_JOB_ID|CI_JOB_STARTED_AT)\b/;

export function lintReleaseLoop({ drafts, file, problems }: LintContext): void {
  const rules = file.workflow && workflowReader.read(file.workflow, problems)?.rules;
  const seen = new Set<string>();
  for (const draft of drafts.all) {
    const tag = draft.config.values.release?.tag_name;
    if (tag === undefined || !NEW_EACH_TIME.test(tag) || seen.has(draft.config.name)) continue;
    if (!allowsTags(rules ?? undefined) || !runsForTags(draft)) continue;
    seen.add(draft.config.name);
    problems.add(
      'language/release-loop',
      `"${draft.config.name}" also runs in the pipeline of the tag that it makes, and makes the next one there`,
      { at: placeIn(draft.config, 'release', ['tag_name']), severity: 'warning' },
    );
  }
}

function runsForTags({ config }: Draft): boolean {
  const { only, except, rules, when } = config.values;
  if (only !== undefined || except !== undefined || when === 'manual') return false;
  return allowsTags(rules);
}

/** True if it is certain: without rules, or by a rule without a condition behind others that ask for something else. */
function allowsTags(rules: readonly (Rule | WorkflowRule)[] | undefined): boolean {
  if (!rules) return true;
  for (const rule of rules) {
    const isOpen = rule.if === undefined && rule.changes === undefined && rule.exists === undefined;
    if (isOpen) return rule.when === undefined || rule.when === 'always' || rule.when === 'on_success';
    // It may be what holds tags back.
    if (rule.when === 'never' || rule.when === 'manual') return false;
  }
  return false;
}
