import type { ConditionChecker } from './conditions.ts';
import type { ConditionScopes } from './scope.ts';
import type { Problems } from '../problems.ts';

/** What the selection of jobs works with. */
export interface SelectContext {
  checker: ConditionChecker;
  scopes: ConditionScopes;
  /**
   * `workflow: rules` is set: as in GitLab, a job without conditions is then not limited to branches and
   * tags.
   */
  byWorkflow: boolean;
  problems: Problems;
}
