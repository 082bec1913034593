/**
 * Checks of conditions, for jobs that are selected and others: expressions are valid, rules are reachable,
 * keywords fit together.
 */
import type { Problems } from '../problems.ts';
import type { Rule, WorkflowRule } from '../schema/keywords/rules.ts';
import type { Node } from '../yaml/nodes.ts';
import { parseExpression, partsOf, type Mistake } from '../expression/expression.ts';
import { originIn, ruleKey, itemNodes } from '../yaml/rule-nodes.ts';
import { messageOf } from '../../utils/message.ts';
import { refPattern } from '../../match/ref-pattern.ts';
import { regexHint } from '../../match/regex-hint.ts';
import { placeIn, type JobConfig } from '../job-config.ts';
import type { Reach } from './reach.ts';

/** Checks one expression. A mistake is reported at its place in the text. */
export function checkExpression(label: string, node: Node, problems: Problems): void {
  if (node.kind !== 'scalar') return;
  const parsed = parseExpression(node.text);
  if (!parsed.ok) {
    report(label, { node, mistake: parsed.mistake }, problems);
    return;
  }
  for (const part of partsOf(parsed.expression)) {
    if (part.kind !== 'pattern') continue;
    try {
      refPattern(part.text.replaceAll('\\/', '/'));
    } catch (error) {
      const why = messageOf(error);
      problems.add('language/regex', `${part.text} is not a valid regular expression: ${why}`, {
        at: originIn(node, part.at),
        hint: regexHint(why),
      });
    }
  }
}

function report(
  label: string,
  { node, mistake }: { node: Node; mistake: Mistake },
  problems: Problems,
): void {
  problems.add('language/expression', `${label} ${mistake.message}`, {
    at: originIn(node, mistake.at),
    hint: mistake.hint,
  });
}

const SELECTING = ['only', 'except', 'start_in'] as const;

/** Conditions of one job. */
export function checkConditions(job: JobConfig, reach: Reach, problems: Problems): void {
  for (const keyword of ['only', 'except'] as const) checkPolicyVariables(job, keyword, problems);
  if (!job.entries.has('rules')) return;
  for (const keyword of SELECTING)
    if (job.entries.has(keyword))
      problems.add('language/conflict', `"${job.name}" has rules, so it cannot also have ${keyword}`, {
        at: placeIn(job, keyword),
        hint: keyword === 'start_in' ? 'Put start_in in the rule with when: delayed.' : undefined,
      });
  const nodes = itemNodes(job.entries.get('rules')?.value);
  const label = `rules of "${job.name}"`;
  checkRuleList({ label, rules: job.values.rules ?? [], nodes }, reach, problems);
  for (const [index, rule] of (job.values.rules ?? []).entries())
    checkRule(job, { rule, node: nodes[index] }, problems);
}

function checkPolicyVariables(job: JobConfig, keyword: 'only' | 'except', problems: Problems): void {
  const list = ruleKey(job.entries.get(keyword)?.value, 'variables');
  if (list?.kind !== 'list') return;
  for (const item of list.items) checkExpression(`${keyword}.variables`, item, problems);
}

function checkRule(
  job: JobConfig,
  { rule, node }: { rule: Rule; node: Node | undefined },
  problems: Problems,
): void {
  const at = (key: string) => ruleKey(node, key) ?? node ?? job.at;
  if (rule.when === 'delayed' && rule.start_in === undefined && !hasKey(node, 'start_in'))
    problems.add('language/missing', `a rule of "${job.name}" is delayed but has no start_in`, {
      at: at('when'),
    });
  if (rule.start_in !== undefined && rule.when !== 'delayed')
    problems.add('language/conflict', `a rule of "${job.name}" has start_in, which requires when: delayed`, {
      at: at('start_in'),
    });
  if (!job.entries.has('gate')) return;
  if (rule.when && rule.when !== 'manual' && rule.when !== 'never')
    problems.add(
      'language/conflict',
      `"${job.name}" has a gate, which implies when: manual, but one of its rules has when: ${rule.when}`,
      { at: at('when') },
    );
  if (rule.allow_failure)
    problems.add(
      'language/conflict',
      `"${job.name}" has a gate, which blocks, so allow_failure must be false`,
      {
        at: at('allow_failure'),
      },
    );
}

const hasKey = (node: Node | undefined, key: string): boolean =>
  node?.kind === 'map' && node.entries.has(key);

interface CheckedRules {
  label: string;
  rules: readonly (Rule | WorkflowRule)[];
  nodes: readonly Node[];
}

/** Checks expressions, and rules after one that always matches, of a job or of `workflow`. */
export function checkRuleList({ label, rules, nodes }: CheckedRules, reach: Reach, problems: Problems): void {
  for (const node of nodes) {
    const expression = ruleKey(node, 'if');
    if (expression?.kind === 'scalar' && expression.value !== null)
      checkExpression('if', expression, problems);
  }
  if (rules.length !== nodes.length) return;
  const always = rules.findIndex((rule) => isAlways(rule));
  for (const [index, node] of nodes.entries())
    if (always === -1 || index <= always) reach.reached(node);
    else if (index > always + 1) reach.missed(node);
    else
      reach.missed(node, `${label}: this rule is never reached, because rule ${always + 1} always matches`);
}

/** Without any condition. */
const isAlways = (rule: Rule | WorkflowRule): boolean =>
  typeof rule.if !== 'string' && rule.changes === undefined && rule.exists === undefined;
