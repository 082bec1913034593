/** For people: which variables a condition asked for, their values, and who sets them. Pure. */
import { partsOf, type Parsed } from '../expression/expression.ts';
import { referencesOf } from '../variables/expand.ts';
import { isPredefined } from '../variables/predefined-names.ts';
import type { Conditions } from './conditions.ts';
import type { ConditionScope, Found } from './scope.ts';

/** More are not readable in one line. */
const MAX_NAMES = 3;
const MAX_VALUE = 40;

type Parse = (text: string) => Parsed;

/**
 * `; $D is "yes" (the job)` for each variable that these conditions ask for. Variables that are equal for the whole pipeline
 * are left out: the ref and the source are known.
 */
export function variablesText(rules: readonly Conditions[], scope: ConditionScope, parse: Parse): string {
  const names = new Set(rules.flatMap((rule) => namesIn(rule, parse)));
  const texts = [...names].flatMap((name) => textOf(name, scope.find(name)));
  const shown = texts.slice(0, MAX_NAMES).map((text) => `; ${text}`);
  return shown.join('') + (texts.length > MAX_NAMES ? '; …' : '');
}

/** Variables in the conditions of one rule, in order. */
export function namesIn({ if: expression, changes, exists }: Conditions, parse: Parse): string[] {
  const names = typeof expression === 'string' ? namesOf(parse(expression)) : [];
  const { paths = [], compare_to = '' } = changes ?? {};
  const { paths: files = [], project = '', ref = '' } = exists ?? {};
  return [...names, ...[...paths, compare_to, ...files, project, ref].flatMap(referencesOf)];
}

const namesOf = (parsed: Parsed): string[] =>
  parsed.ok
    ? [...partsOf(parsed.expression)].flatMap((part) => (part.kind === 'variable' ? part.name : []))
    : [];

function textOf(name: string, found: Found | undefined): string[] {
  if (!found) return isPredefined(name) ? [] : [`$${name} is not set`];
  if (found.by === 'the pipeline') return [];
  return [`$${name} is ${valueText(found)} (${found.by})`];
}

function valueText({ variable: { value, masked, file } }: Found): string {
  if ('secret' in value || masked || file) return 'set';
  const { literal } = value;
  return JSON.stringify(literal.length > MAX_VALUE ? `${literal.slice(0, MAX_VALUE - 1)}…` : literal);
}
