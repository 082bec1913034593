/**
 * `rules`: the first that matches decides; without a match the job is excluded. Pure. A rule without `when`
 * keeps the job's own; `when: manual` of a rule blocks unless it has allow_failure, a job's own `manual` does
 * not.
 */
import type { When } from '../../plan/model/plan.ts';
import type { Rule, WorkflowRule } from '../schema/keywords/rules.ts';
import type { Node } from '../yaml/nodes.ts';
import type { ConditionChecker } from './conditions.ts';
import { ruleKey, itemNodes } from '../yaml/rule-nodes.ts';
import { variablesText } from './reason.ts';
import type { ConditionScope } from './scope.ts';

export interface Matched<R> {
  rule: R;
  /** Its `variables`, as written in the file. */
  variables?: Node;
  /** For a person: which rule it was. */
  text: string;
}

/** The first rule that matches, or why none does. */
export function firstMatch<R extends Rule | WorkflowRule>(
  { rules, node }: { rules: readonly R[]; node: Node | undefined },
  checker: ConditionChecker,
  scope: ConditionScope,
): Matched<R> | undefined {
  const index = rules.findIndex((rule) => checker.failed(rule, scope) === undefined);
  const rule = rules[index];
  if (!rule) return undefined;
  const written = itemNodes(node)[index];
  const text = ruleText(rule, index, written) + variablesText([rule], scope, (one) => checker.parse(one));
  return { rule, variables: ruleKey(written, 'variables'), text };
}

function ruleText(rule: Rule | WorkflowRule, index: number, node: Node | undefined): string {
  const conditions = [
    ...(typeof rule.if === 'string' ? [`if: ${rule.if}`] : []),
    ...(rule.changes ? [`changes: ${lookedForText(rule.changes)}`] : []),
    ...(rule.exists ? [`exists: ${lookedForText(rule.exists)}`] : []),
  ];
  const line = node ? `, line ${node.source.place(node.offset).line}` : '';
  const text = `rule ${index + 1}${line}: ${conditions.join('; ') || 'always'}`;
  return text.length > 200 ? `${text.slice(0, 199)}…` : text;
}

const lookedForText = (lookedFor: { paths?: readonly string[]; regexp?: string }): string =>
  lookedFor.regexp ?? lookedFor.paths?.join(', ') ?? '';

export interface JobDecision {
  when: When;
  allowFailure: boolean | number[];
}

/** Combines a matched rule with a job's own `when` and `allow_failure`; undefined: never. */
export function decisionOf(
  rule: Rule,
  own: { when?: When; allow_failure?: boolean | number[] },
): JobDecision | undefined {
  const when = rule.when ?? own.when ?? 'on_success';
  if (when === 'never') return undefined;
  const byItself = rule.when === undefined && own.when === 'manual';
  return { when, allowFailure: rule.allow_failure ?? own.allow_failure ?? byItself };
}
