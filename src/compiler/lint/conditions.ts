/** Conditions that are valid but do not do what they seem to do. */
import type { Problems } from '../problems.ts';
import { parseExpression, partsOf, type Expression } from '../expression/expression.ts';
import { originIn, ruleKey, ruleNodes } from '../yaml/rule-nodes.ts';
import { workflowReader } from '../schema/keyword-table.ts';
import type { Rule, WorkflowRule } from '../schema/keywords/rules.ts';
import { nearest } from '../suggest.ts';
import type { Node } from '../yaml/nodes.ts';
import { covers, impossible } from './impossible.ts';
import { KNOWN_LATER, PIPELINE_SOURCES } from './known-names.ts';
import type { JobConfig } from '../job-config.ts';
import type { LintContext } from './lint-context.ts';

interface Ruled {
  rules: readonly (Rule | WorkflowRule)[];
  nodes: readonly Node[];
  /** Variables that only the job itself has. */
  own: ReadonlySet<string>;
}

export function lintConditions(context: LintContext): void {
  const { problems, file } = context;
  const workflow = file.workflow && workflowReader.read(file.workflow, problems);
  if (workflow?.rules) {
    const nodes = ruleNodes(ruleKey(file.workflow, 'rules'));
    lintRules({ rules: workflow.rules, nodes, own: new Set() }, problems);
  }
  for (const job of context.jobs.values()) {
    if (!job.values.rules) continue;
    const nodes = ruleNodes(job.entries.get('rules')?.value);
    lintRules({ rules: job.values.rules, nodes, own: ownNames(job, context) }, problems);
    lintBlocking(job, nodes, problems);
  }
}

/** Variables that only the job itself sets, not the file or the installation. */
function ownNames(job: JobConfig, { file, request }: LintContext): Set<string> {
  const own = job.entries.get('variables')?.value;
  const names = new Set(own?.kind === 'map' ? own.entries.keys() : []);
  const workflow = ruleNodes(ruleKey(file.workflow, 'rules')).map((rule) => ruleKey(rule, 'variables'));
  for (const node of [file.variables, ...workflow])
    if (node?.kind === 'map') for (const name of node.entries.keys()) names.delete(name);
  for (const { name } of [...request.project.variables, ...request.instanceVariables]) names.delete(name);
  for (const name of Object.keys(request.trigger.variables ?? {})) names.delete(name);
  for (const name of names) if (/^(?:CI|GITLAB)(?:_|$)/.test(name)) names.delete(name);
  return names;
}

function lintRules({ rules, nodes, own }: Ruled, problems: Problems): void {
  if (rules.length !== nodes.length) return;
  const before: { expression: Expression; number: number }[] = [];
  for (const [index, rule] of rules.entries()) {
    const node = ruleKey(nodes[index], 'if');
    if (typeof rule.if !== 'string' || node?.kind !== 'scalar') continue;
    const parsed = parseExpression(rule.if);
    if (!parsed.ok) continue;
    const { expression } = parsed;
    lintParts(expression, { node, own }, problems);
    const never = impossible(expression);
    const earlier = before.find((one) => covers(one.expression, expression));
    if (never)
      problems.add('language/unreachable', `this condition is never true: ${never}`, {
        at: node,
        hint: 'Correct the condition, or remove the rule.',
        severity: 'warning',
      });
    else if (earlier)
      problems.add(
        'language/unreachable',
        `this rule is never reached, because rule ${earlier.number} already matches in each of its cases`,
        { at: nodes[index], severity: 'warning' },
      );
    if (rule.changes === undefined && rule.exists === undefined)
      before.push({ expression, number: index + 1 });
  }
}

function lintParts(
  expression: Expression,
  { node, own }: { node: Node; own: ReadonlySet<string> },
  problems: Problems,
): void {
  for (const part of partsOf(expression)) {
    if (part.kind === 'variable' && KNOWN_LATER.test(part.name))
      problems.add('language/never-set', `$${part.name} is known only after the pipeline or job is created`, {
        at: originIn(node, part.at),
        hint: 'Conditions are evaluated earlier. Use another variable, or decide in the script.',
        severity: 'warning',
      });
    else if (part.kind === 'variable' && own.has(part.name))
      problems.add('language/never-set', `rules do not see $${part.name}, which only the job itself sets`, {
        at: originIn(node, part.at),
        hint: 'Set it under `variables` of the file or of `workflow: rules`, or pass it to the pipeline.',
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
