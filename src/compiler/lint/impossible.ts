/**
 * What is known about a condition without any variable: that it is never true, or that an earlier one covers
 * it. Pure.
 */
import { evaluate, isTruthful } from '../expression/expression-evaluator.ts';
import { partsOf, type Expression } from '../expression/expression.ts';
import { refPattern } from '../../match/ref-pattern.ts';

type Operation = Expression & { kind: 'operation' };
const isOperation = (expression: Expression, operator: string): expression is Operation =>
  expression.kind === 'operation' && expression.operator === operator;

/** What a part of a condition requires of one variable. */
interface Demand {
  name: string;
  /** It must be exactly this; null: it must not be set. */
  is?: string | null;
  isNot?: string | null;
}

/** Why a condition is never true; undefined when it may be. */
export function impossible(expression: Expression): string | undefined {
  if (isOperation(expression, '||')) return impossible(expression.left) && impossible(expression.right);
  const parts = conjuncts(expression);
  for (const part of parts) {
    const never = isOperation(part, '||') ? impossible(part) : undefined;
    if (never) return never;
    if ([...partsOf(part)].every((one) => one.kind !== 'variable') && !isTruthful(part, () => undefined))
      return 'it compares only fixed values, and they differ';
  }
  return contradiction(parts.flatMap(demandOf));
}

const conjuncts = (expression: Expression): Expression[] =>
  isOperation(expression, '&&')
    ? [...conjuncts(expression.left), ...conjuncts(expression.right)]
    : [expression];

/** A variable that must be set: `$A`, `$A == "x"`, `$A =~ /x/` unless that matches the empty text. */
export function demandOf(part: Expression): Demand[] {
  if (part.kind === 'variable') return [{ name: part.name, isNot: null }];
  if (part.kind !== 'operation') return [];
  const { operator, left, right } = part;
  const [variable, other] = left.kind === 'variable' ? [left, right] : [right, left];
  if (variable.kind !== 'variable') return [];
  const { name } = variable;
  if (operator === '=~')
    return left === variable && other.kind === 'pattern' && !matchesNothing(other.text)
      ? [{ name, isNot: null }]
      : [];
  if (other.kind !== 'value' || typeof other.value === 'boolean') return [];
  if (operator === '==') return [{ name, is: other.value }];
  return operator === '!=' ? [{ name, isNot: other.value }] : [];
}

function matchesNothing(pattern: string): boolean {
  try {
    return refPattern(pattern.replaceAll('\\/', '/'))?.matcher('').find() ?? true;
  } catch {
    return true; // an invalid pattern is reported elsewhere
  }
}

const isSet = ({ is, isNot }: Demand): boolean =>
  typeof is === 'string' || (is === undefined && isNot === null);

function contradiction(demands: readonly Demand[]): string | undefined {
  const values = new Map<string, string | null>();
  for (const { name, is } of demands) {
    if (is === undefined) continue;
    const before = values.get(name);
    if (before !== undefined && before !== is)
      return `$${name} cannot be ${textOf(before)} and ${textOf(is)} at once`;
    values.set(name, is);
  }
  for (const demand of demands) {
    const value = values.get(demand.name);
    if (value !== undefined && demand.isNot !== undefined && value === demand.isNot)
      return `$${demand.name} cannot be ${textOf(value)} and not ${textOf(value)}`;
  }
  return neverTogether(new Set(demands.filter(isSet).map((demand) => demand.name)), values);
}
const textOf = (value: string | null): string => (value === null ? 'null' : `"${value}"`);

/** Variables that no kind of pipeline sets together. Source: GitLab's list of predefined variables. */
function neverTogether(
  set: ReadonlySet<string>,
  values: ReadonlyMap<string, string | null>,
): string | undefined {
  const request =
    values.get('CI_PIPELINE_SOURCE') === 'merge_request_event' ||
    [...set].some((name) => name.startsWith('CI_MERGE_REQUEST_'));
  for (const name of ['CI_COMMIT_BRANCH', 'CI_COMMIT_TAG'])
    if (request && set.has(name)) return `$${name} is not set in merge request pipelines`;
  return set.has('CI_COMMIT_BRANCH') && set.has('CI_COMMIT_TAG')
    ? '$CI_COMMIT_BRANCH is set for branches only, $CI_COMMIT_TAG for tags only'
    : undefined;
}

/**
 * True if the first holds whenever the second does: they are equal, or the first requires a subset of the
 * second.
 */
export function covers(first: Expression, second: Expression): boolean {
  if (isOperation(first, '||')) return covers(first.left, second) || covers(first.right, second);
  const asked = new Set(conjuncts(second).map(keyOf));
  return conjuncts(first).every((part) => asked.has(keyOf(part)) || impliedBy(part, conjuncts(second)));
}

/** `$A` holds where `$A == "x"` does. */
const impliedBy = (part: Expression, parts: readonly Expression[]): boolean =>
  part.kind === 'variable' &&
  parts
    .flatMap(demandOf)
    .some(({ name, is }) => name === part.name && typeof is === 'string' && is.trim() !== '');

function keyOf(expression: Expression): string {
  if (expression.kind === 'variable') return `$${expression.name}`;
  if (expression.kind === 'value') return JSON.stringify(evaluate(expression, () => undefined));
  if (expression.kind === 'pattern') return expression.text;
  return `(${keyOf(expression.left)} ${expression.operator} ${keyOf(expression.right)})`;
}
