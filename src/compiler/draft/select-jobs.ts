/** Which jobs are in the pipeline, and how they start: by their rules, else by `only` and `except`. */
import type { Draft, Drafts } from './draft.ts';
import type { CompileRequest } from '../request.ts';
import { itemNodes } from '../yaml/rule-nodes.ts';
import { RefSelector } from '../rules/ref-selector.ts';
import { checkRefs } from '../rules/check-refs.ts';
import { ConditionChecker } from '../rules/conditions.ts';
import { variablesText } from '../rules/reason.ts';
import { decisionOf, firstMatch } from '../rules/rules.ts';
import { ConditionScopes, type ConditionLayers } from '../rules/scope.ts';
import type { SelectContext } from '../rules/select-context.ts';

export const selectContext = (
  request: CompileRequest,
  layers: ConditionLayers,
  rest: Pick<SelectContext, 'byWorkflow' | 'problems'>,
): SelectContext => ({
  checker: new ConditionChecker(request),
  scopes: new ConditionScopes(request, layers),
  ...rest,
});

/** Sets what the conditions of each draft decide. */
export function selectDrafts(drafts: Drafts, request: CompileRequest, context: SelectContext): void {
  const selector = new RefSelector(request, context);
  for (const draft of drafts.all)
    if (draft.config.values.rules) byRules(draft, context);
    else Object.assign(draft, selector.select(draft));
}

function byRules(draft: Draft, context: SelectContext): void {
  const { checker, scopes } = context;
  const { values, entries } = draft.config;
  const scope = scopes.of(draft);
  const nodes = itemNodes(entries.get('rules')?.value);
  checkRefs({ rules: values.rules ?? [], nodes, at: draft.config.at }, context, scope);
  const found = firstMatch({ rules: values.rules ?? [], node: entries.get('rules')?.value }, checker, scope);
  const decision = found && decisionOf(found.rule, values);
  if (!found || !decision) {
    draft.included = false;
    const asked = found ? '' : variablesText(values.rules ?? [], scope, (text) => checker.parse(text));
    draft.reason = found ? `${found.text}; when: never` : `no rule matches${asked}`;
    return;
  }
  draft.reason = found.text;
  if (!values.gate) Object.assign(draft, decision);
  draft.ruleVariables = found.variables;
  draft.startInMs = found.rule.start_in ?? draft.startInMs;
  draft.interruptible = found.rule.interruptible ?? draft.interruptible;
  const { needs } = found.rule;
  // GitLab: an empty list removes the needs; a job without needs stays ordered by its stage.
  if (needs && (needs.length > 0 || draft.listed)) draft.listed = needs;
}
