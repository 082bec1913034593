/**
 * Rules that decide otherwise than in davit 0.1, where a condition did not see the variables of its job: one warning a rule.
 * Compared are the parts of a condition, so a rule is found for every ref.
 */
import { evaluate, type Lookup } from '../expression/expression-evaluator.ts';
import { parseExpression, partsOf, type Expression } from '../expression/expression.ts';
import type { Conditions } from '../rules/conditions.ts';
import { namesIn, variablesText } from '../rules/reason.ts';
import type { ConditionScope } from '../rules/scope.ts';
import type { Draft } from '../draft/draft.ts';
import {
  environmentLayer,
  givenLayer,
  literalLayer,
  projectVariables,
  yamlLayer,
} from '../variables/layers.ts';
import { pipelineValues } from '../variables/predefined.ts';
import { Scope, type Layer } from '../variables/scope.ts';
import { ruleKey, itemNodes } from '../yaml/rule-nodes.ts';
import type { Node } from '../yaml/nodes.ts';
import type { LintContext } from './lint-context.ts';

export function lintEarlierRules(context: LintContext): void {
  const below = [literalLayer(earlierValues(context), 'predefined'), ...fileLayers(context)];
  for (const draft of context.drafts.all) {
    const asked = conditionsOf(draft);
    if (asked.length === 0) continue;
    const now = context.scopes.of(draft);
    const then = earlierLookup(draft, below, context);
    for (const { conditions, node } of asked) {
      const name = namesThatDecide(conditions, now, then);
      if (name === undefined) continue;
      const what = variablesText([{ if: `$${name}` }], now, parseExpression).replace(/^; /, '');
      context.problems.add(
        'language/changed-rule',
        `this rule decides otherwise than in davit 0.1: ${what || `$${name} is not set`}`,
        {
          at: node ?? draft.config.at,
          hint: 'As in GitLab, rules see the variables of their job. Compare the jobs that `davit plan --all` shows.',
          severity: 'warning',
        },
      );
    }
  }
}

interface Asked {
  conditions: Conditions;
  node: Node | undefined;
}

function conditionsOf({ config: { values, entries } }: Draft): Asked[] {
  const nodes = itemNodes(entries.get('rules')?.value);
  const policies = (['only', 'except'] as const).flatMap((keyword) => {
    const list = ruleKey(entries.get(keyword)?.value, 'variables');
    return (values[keyword]?.variables ?? []).map((text, index) => ({
      conditions: { if: text },
      node: list?.kind === 'list' ? list.items[index] : list,
    }));
  });
  const rules = (values.rules ?? []).map((rule, index) => ({
    conditions: rule,
    node: ruleKey(nodes[index], 'if') ?? nodes[index],
  }));
  return [...rules, ...policies];
}

/** A variable by which a comparison or a path is another one than before. */
function namesThatDecide(conditions: Conditions, now: ConditionScope, then: Lookup): string | undefined {
  const parsed = typeof conditions.if === 'string' ? parseExpression(conditions.if) : undefined;
  for (const part of parsed?.ok ? comparisons(parsed.expression) : []) {
    if (factOf(evaluate(part, now.lookup)) === factOf(evaluate(part, then))) continue;
    for (const one of partsOf(part))
      if (one.kind === 'variable' && now.lookup(one.name) !== then(one.name)) return one.name;
  }
  const { changes, exists } = conditions;
  const paths = namesIn({ changes, exists }, parseExpression);
  return paths.find((name) => now.lookup(name) !== then(name));
}

/** The parts that `&&` and `||` combine. */
const comparisons = (expression: Expression): Expression[] =>
  expression.kind === 'operation' && (expression.operator === '&&' || expression.operator === '||')
    ? [...comparisons(expression.left), ...comparisons(expression.right)]
    : [expression];

/** What of a value decides: whether it is set, and whether it is blank. */
const factOf = (value: string | boolean | null): string =>
  typeof value === 'string' ? (value.trim() === '' ? 'blank' : 'text') : String(value ?? false);

const earlierValues = ({ request }: LintContext): Record<string, string | undefined> => ({
  ...pipelineValues(request),
  CI_PIPELINE_ID: undefined,
  CI_PIPELINE_URL: undefined,
  CI_PIPELINE_CREATED_AT: undefined,
});

const fileLayers = ({ layers }: LintContext): Layer[] => [yamlLayer(layers.file), yamlLayer(layers.workflow)];

function earlierLookup(draft: Draft, [known, ...file]: Layer[], { request }: LintContext): Lookup {
  const { trigger, project, instanceVariables } = request;
  const access = { fork: trigger.fork, protectedRef: project.protectedRef };
  const names = literalLayer({ CI_JOB_NAME: draft.group, CI_JOB_STAGE: draft.stage }, 'predefined');
  const layersFor = (environment: string | undefined): Layer[] => [
    known ?? new Map(),
    names,
    ...file,
    environmentLayer(projectVariables(instanceVariables, access), environment),
    environmentLayer(projectVariables(project.variables, access), environment),
    givenLayer(request),
  ];
  const written = draft.config.values.environment?.name;
  const bare = layersFor(undefined);
  const layers =
    written === undefined ? bare : layersFor(new Scope(bare, { open: false }).expand(written).text);
  return (name) => {
    const value = layers.findLast((layer) => layer.has(name))?.get(name)?.value;
    return value && ('secret' in value ? '\u0000' : value.literal);
  };
}
