import type { ConditionChecker } from './conditions.ts';
import type { ConditionScopes } from './scope.ts';
import type { Problems } from '../problems.ts';

/** What the selection of jobs works with. */
export interface SelectContext {
  checker: ConditionChecker;
  scopes: ConditionScopes;
  /** `workflow: rules` is there: GitLab then takes away what a job without conditions is limited to. */
  byWorkflow: boolean;
  problems: Problems;
}
