/** Conditions that are valid but do not do what they seem to do. */
import type { Problems } from '../problems.ts';
import { parseExpression, partsOf, type Expression } from '../expression/expression.ts';
import { originIn, ruleKey, itemNodes } from '../yaml/rule-nodes.ts';
import { Reach } from '../rules/reach.ts';
import { workflowReader } from '../schema/keyword-table.ts';
import type { Rule, WorkflowRule } from '../schema/keywords/rules.ts';
import { nearest } from '../suggest.ts';
import type { Node } from '../yaml/nodes.ts';
import { covers, impossible } from './impossible.ts';
import { PIPELINE_SOURCES } from './known-names.ts';
import { isKnownLater } from '../variables/predefined-names.ts';
import type { JobConfig } from '../job-config.ts';
import type { LintContext } from './lint-context.ts';

interface Ruled {
  rules: readonly (Rule | WorkflowRule)[];
  nodes: readonly Node[];
  /** Whether something sets a variable for them. */
  isSet: (name: string) => boolean;
  reach: Reach;
}

export function lintConditions(context: LintContext): void {
  const { problems, file, drafts, scopes } = context;
  const reach = new Reach();
  const workflow = file.workflow && workflowReader.read(file.workflow, problems);
  if (workflow?.rules) {
    const nodes = itemNodes(ruleKey(file.workflow, 'rules'));
    const isSet = (name: string): boolean => scopes.of().find(name) !== undefined;
    lintRules({ rules: workflow.rules, nodes, isSet, reach }, problems);
  }
  for (const job of context.jobs.values()) {
    if (!job.values.rules) continue;
    const nodes = itemNodes(job.entries.get('rules')?.value);
    const own = drafts.named.get(job.name) ?? [];
    const isSet = (name: string): boolean => own.some((draft) => scopes.of(draft).find(name) !== undefined);
    lintRules({ rules: job.values.rules, nodes, isSet, reach }, problems);
    lintBlocking(job, nodes, problems);
  }
  reach.report(problems);
}

function lintRules({ rules, nodes, isSet, reach }: Ruled, problems: Problems): void {
  if (rules.length !== nodes.length) return;
  const before: { expression: Expression; number: number }[] = [];
  for (const [index, rule] of rules.entries()) {
    const whole = nodes[index];
    const node = ruleKey(whole, 'if');
    const parsed = typeof rule.if === 'string' ? parseExpression(rule.if) : undefined;
    if (!whole || node?.kind !== 'scalar' || !parsed?.ok) continue;
    const { expression } = parsed;
    lintParts(expression, { node, isSet }, problems);
    const never = impossible(expression);
    const earlier = before.find((one) => covers(one.expression, expression));
    if (never)
      problems.add('language/unreachable', `this condition is never true: ${never}`, {
        at: node,
        hint: 'Correct the condition, or remove the rule.',
        severity: 'warning',
      });
    if (!earlier) reach.reached(whole);
    else if (!never)
      reach.missed(
        whole,
        `this rule is never reached, because rule ${earlier.number} already matches in each of its cases`,
      );
    if (rule.changes === undefined && rule.exists === undefined)
      before.push({ expression, number: index + 1 });
  }
}

function lintParts(
  expression: Expression,
  { node, isSet }: { node: Node } & Pick<Ruled, 'isSet'>,
  problems: Problems,
): void {
  for (const part of partsOf(expression)) {
    if (part.kind === 'variable' && isKnownLater(part.name) && !isSet(part.name))
      problems.add('language/never-set', `$${part.name} is known only after the pipeline or job is created`, {
        at: originIn(node, part.at),
        hint: 'Conditions are evaluated earlier. Use another variable, or decide in the script.',
        severity: 'warning',
      });
    if (part.kind === 'operation') lintSource(part, node, problems);
  }
}

/** A source that no pipeline has. */
function lintSource(part: Expression & { kind: 'operation' }, node: Node, problems: Problems): void {
  const { left, right, operator } = part;
  if (operator !== '==' && operator !== '!=') return;
  if (left.kind !== 'variable' || left.name !== 'CI_PIPELINE_SOURCE') return;
  if (right.kind !== 'value' || typeof right.value !== 'string' || right.value === '') return;
  const { value } = right;
  if (PIPELINE_SOURCES.includes(value)) return;
  const meant =
    PIPELINE_SOURCES.find((source) => source.startsWith(value.replace(/s$/, ''))) ??
    nearest(value, PIPELINE_SOURCES);
  const tag = value === 'tag' ? 'For a pushed tag, check whether $CI_COMMIT_TAG is set.' : undefined;
  problems.add('language/misspelt', `CI_PIPELINE_SOURCE is never "${value}"`, {
    at: originIn(node, left.at),
    hint: tag ?? (meant ? `Did you mean "${meant}"?` : `It is one of: ${PIPELINE_SOURCES.join(', ')}`),
    severity: 'warning',
  });
}

/** `when: manual` in a rule blocks the pipeline, unlike the job's own. */
function lintBlocking(job: JobConfig, nodes: readonly Node[], problems: Problems): void {
  const { rules = [], allow_failure, gate } = job.values;
  if (allow_failure !== undefined || gate || rules.length !== nodes.length) return;
  for (const [index, rule] of rules.entries()) {
    if (rule.when !== 'manual' || rule.allow_failure !== undefined) continue;
    problems.add(
      'language/blocking',
      `a rule makes "${job.name}" manual, so the pipeline waits until it is started`,
      {
        at: ruleKey(nodes[index], 'when') ?? nodes[index],
        severity: 'warning',
      },
    );
  }
}
