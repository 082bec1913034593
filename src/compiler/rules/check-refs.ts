/** Refs and projects that rules ask about: GitLab takes one that is not there for a mistake, not for a condition that does not hold. */
import type { Problems } from '../problems.ts';
import type { Node } from '../yaml/nodes.ts';
import type { ConditionChecker, Conditions } from './conditions.ts';
import { ruleKey } from '../yaml/rule-nodes.ts';
import type { ConditionScope } from './scope.ts';
import type { Origin } from '../source-text.ts';

export interface RuleList {
  rules: readonly Conditions[];
  nodes: readonly Node[];
  /** Where the list stands. */
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
      problems.add('language/unknown-ref', `compare_to: the repository has no "${ref}"`, {
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
