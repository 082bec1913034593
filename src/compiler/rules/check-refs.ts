/**
 * Refs and projects in rules: as in GitLab, one that does not exist is an error, not a condition that does
 * not hold.
 */
import type { Problems } from '../problems.ts';
import type { Node } from '../yaml/nodes.ts';
import type { ConditionChecker, Conditions } from './conditions.ts';
import { ruleKey } from '../yaml/rule-nodes.ts';
import type { ConditionScope } from './scope.ts';
import type { Origin } from '../source-text.ts';

export interface RuleList {
  rules: readonly Conditions[];
  nodes: readonly Node[];
  /** The place of the list. */
  at: Origin;
}

export function checkRefs(
  { rules, nodes, at }: RuleList,
  { checker, problems }: { checker: ConditionChecker; problems: Problems },
  scope: ConditionScope,
): void {
  for (const [index, rule] of rules.entries()) {
    const ref = checker.unknownRef(rule, scope);
    if (ref !== undefined)
      problems.add('language/unknown-ref', `compare_to: the repository has no ref "${ref}"`, {
        at: ruleKey(ruleKey(nodes[index], 'changes'), 'compare_to') ?? at,
      });
    const other = checker.unknownProject(rule, scope);
    if (other)
      problems.add('language/unknown-ref', other.message, {
        at: ruleKey(ruleKey(nodes[index], 'exists'), 'project') ?? at,
        severity: other.severity,
      });
  }
}
