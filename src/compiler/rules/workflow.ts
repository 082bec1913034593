/** `workflow`: whether a pipeline is created, its name, and when it is cancelled. */
import type { Plan } from '../../plan/model/plan.ts';
import type { Problems } from '../problems.ts';
import type { CompileRequest } from '../request.ts';
import { workflowReader } from '../schema/keyword-table.ts';
import type { Node } from '../yaml/nodes.ts';
import { checkRefs } from './check-refs.ts';
import { checkRuleList } from './check-conditions.ts';
import { ConditionChecker } from './conditions.ts';
import { ruleKey, itemNodes } from '../yaml/rule-nodes.ts';
import { Reach } from './reach.ts';
import { firstMatch } from './rules.ts';
import { ConditionScopes } from './scope.ts';
import type { FileConfig } from '../job-config.ts';

export interface Workflow {
  /** Why there is no pipeline. */
  refused?: string;
  /** The rule that decided. */
  reason?: string;
  name?: string;
  autoCancel: Plan['autoCancel'];
  /** `variables` of the matched rule. */
  variables?: Node;
  /** It has rules: jobs without conditions then also run for merge requests. */
  hasRules: boolean;
}

const DEFAULTS: Plan['autoCancel'] = { onNewCommit: 'conservative', onJobFailure: 'none' };

export function readWorkflow(file: FileConfig, request: CompileRequest, problems: Problems): Workflow {
  const node = file.workflow;
  const values = node && workflowReader.read(node, problems);
  if (!values) return { autoCancel: DEFAULTS, hasRules: false };
  const rulesNode = ruleKey(node, 'rules');
  const rules = values.rules ?? undefined;
  const reach = new Reach();
  if (rules) checkRuleList({ label: 'workflow.rules', rules, nodes: itemNodes(rulesNode) }, reach, problems);
  reach.report(problems);
  const scope = new ConditionScopes(request, { file: file.variables }).of();
  const checker = new ConditionChecker(request);
  if (rules) checkRefs({ rules, nodes: itemNodes(rulesNode), at: node }, { checker, problems }, scope);
  const found = rules && firstMatch({ rules, node: rulesNode }, checker, scope);
  const refused = rules && refusal(found?.rule.when, found?.text);
  const scopes = new ConditionScopes(request, { file: file.variables, workflow: found?.variables });
  return {
    ...(refused !== undefined && { refused }),
    ...(found && { reason: found.text }),
    ...nameOf(values.name ?? '', { scope: scopes.of(), node: ruleKey(node, 'name') ?? node, problems }),
    autoCancel: {
      onNewCommit:
        found?.rule.auto_cancel?.on_new_commit ?? values.auto_cancel?.on_new_commit ?? DEFAULTS.onNewCommit,
      onJobFailure:
        found?.rule.auto_cancel?.on_job_failure ??
        values.auto_cancel?.on_job_failure ??
        DEFAULTS.onJobFailure,
    },
    ...(found?.variables && { variables: found.variables }),
    hasRules: rules !== undefined,
  };
}

function refusal(when: 'always' | 'never' | undefined, text: string | undefined): string | undefined {
  if (text === undefined) return 'no rule of workflow matches';
  return when === 'never' ? `workflow, ${text}; when: never` : undefined;
}

interface WorkflowName {
  scope: ReturnType<ConditionScopes['of']>;
  node: Node;
  problems: Problems;
}

/** A name that expands to nothing counts as absent. Everybody can see it, so it must not contain a secret. */
function nameOf(written: string, { scope, node, problems }: WorkflowName): { name?: string } {
  const { text, tainted } = scope.settle(written);
  if (tainted)
    problems.add('language/secret', 'workflow.name uses a variable that is masked or secret', { at: node });
  const name = text.trim().slice(0, 255);
  return name === '' ? {} : { name };
}
