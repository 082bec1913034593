/** The header of a file: `spec` declares its inputs. Strict, as GitLab's `Ci::Config::Header`. */
import { RE2JS } from 're2js';
import { z } from 'zod';
import type { Problems } from '../../problems.ts';
import { parseExpression, type Expression } from '../../expression/expression.ts';
import { originIn } from '../../yaml/rule-nodes.ts';
import { name, refused } from './common.ts';
import { checked } from '../validation/validate.ts';
import { didYouMean } from '../../suggest.ts';
import { nodeAt, type Entry, type MapNode, type Node } from '../../yaml/nodes.ts';
import type { Origin } from '../../source-text.ts';

const MAX_OPTIONS = 50;
/** Rules of inputs may use each other: this limits the depth. */
const MAX_INPUTS = 1000;
export const INPUT_TYPES = ['string', 'number', 'boolean', 'array'] as const;
export type InputType = (typeof INPUT_TYPES)[number];
export const COMPONENT_FACTS = ['name', 'sha', 'version', 'reference'] as const;
export type ComponentFact = (typeof COMPONENT_FACTS)[number];

/** What a file declares. */
export interface Spec {
  inputs: ReadonlyMap<string, InputSpec>;
  /** The component facts that the file uses. */
  component: ReadonlySet<ComponentFact>;
}
export interface InputSpec extends Settings {
  name: string;
  at: Origin;
  type: InputType;
  regex?: { text: string; compiled: RE2JS };
  rules?: readonly InputRule[];
}
/** What a rule can set as well. */
export interface Settings {
  /** A null means nothing, or in a rule that a value must be given. */
  default?: Node;
  options?: readonly Node[];
}
export interface InputRule extends Settings {
  /** Absent: always. */
  condition?: { expression: Expression; inputs: ReadonlySet<string> };
}

const isNothing = (value: unknown): boolean => value === null || value === undefined;
const options = z.array(z.unknown()).max(MAX_OPTIONS, `has more than ${MAX_OPTIONS} options`);
const rule = z
  .strictObject({ if: z.string().nullish(), options: options.nullish(), default: z.unknown().optional() })
  .superRefine((value, context) => {
    const [unconditional, unlimited] = [isNothing(value.if), isNothing(value.options)];
    if (!unconditional && unlimited && !('default' in value))
      context.addIssue({ code: 'custom', message: 'needs "options" or "default" in addition to "if"' });
    if (unconditional && unlimited)
      context.addIssue({ code: 'custom', message: 'has no "if", so it needs "options"' });
  });
const input = z
  .strictObject({
    type: z.enum(INPUT_TYPES).optional(),
    description: z.union([z.string(), z.number()]).nullish(),
    options: options.nullish(),
    regex: z.string().nullish(),
    default: z.unknown().optional(),
    rules: z.array(rule).min(1, 'must not be empty').optional(),
  })
  .superRefine((value, context) => {
    const type = value.type ?? 'string';
    const add = (message: string, key: string) => context.addIssue({ code: 'custom', message, path: [key] });
    const limited = !isNothing(value.options);
    if (value.rules && limited) add('cannot be used together with "rules"', 'options');
    if (value.rules && 'default' in value) add('cannot be used together with "rules"', 'default');
    if (limited && type === 'boolean') add('cannot be used with booleans', 'options');
    if (!isNothing(value.regex) && type !== 'string') add('is for strings only', 'regex');
  });
const header = z.strictObject({
  spec: z
    .strictObject({
      inputs: z.record(name, input.nullable()).nullish(),
      component: z.array(z.enum(COMPONENT_FACTS)).nullish(),
      include: refused('GitLab has it behind a flag that is off; write the inputs into this header'),
    })
    .nullable(),
});
const headerReader = checked('the header', header);
/** Its entry in the keyword table. */
export const SPEC = {
  name: 'spec',
  in: ['top'],
  status: 'differs',
  note: 'the header of a file: `inputs` and `component`; `include` is refused: GitLab has it behind a flag that is off by default',
  schema: header.shape.spec,
} as const;

/** Undefined when the header is invalid, with the reason in the problems. */
export function readSpec(node: MapNode, problems: Problems): Spec | undefined {
  const value = headerReader.read(node, problems);
  if (!value) return undefined;
  const inputs = new Map<string, InputSpec>();
  const written = nodeAt(node, ['spec', 'inputs']);
  const entries = written.kind === 'map' && value.spec?.inputs ? [...written.entries.values()] : [];
  let valid = entries.length <= MAX_INPUTS;
  if (!valid)
    problems.add('language/too-large', `the header has more than ${MAX_INPUTS} inputs`, { at: written });
  for (const entry of valid ? entries : []) {
    const found = readInput(entry, value.spec?.inputs?.[entry.key]?.type ?? 'string', problems);
    if (found) inputs.set(entry.key, found);
    else valid = false;
  }
  if (!valid || !checkReferences(inputs, problems)) return undefined;
  return { inputs, component: new Set(value.spec?.component ?? []) };
}

function readInput({ key, at, value }: Entry, type: InputType, problems: Problems): InputSpec | undefined {
  const map = value.kind === 'map' ? value.entries : undefined;
  const regex = map?.get('regex')?.value;
  let compiled: RE2JS | undefined;
  if (regex?.kind === 'scalar' && regex.value !== null) {
    compiled = compile(regex.text);
    if (!compiled) {
      const what = `the regex of the input "${key}" is not valid for RE2: ${regex.text}`;
      problems.add('language/input', what, { at: regex });
      return undefined;
    }
  }
  const rules = map?.get('rules')?.value;
  const read = rules?.kind === 'list' ? rules.items.map((one) => readRule(one, problems)) : undefined;
  if (read && !read.every((one) => one !== undefined)) return undefined;
  return {
    name: key,
    at,
    type,
    ...settingsOf(value),
    ...(compiled && regex?.kind === 'scalar' && { regex: { text: regex.text, compiled } }),
    ...(read && { rules: read.filter((one) => one !== undefined) }),
  };
}

function compile(text: string): RE2JS | undefined {
  try {
    return RE2JS.compile(text);
  } catch {
    return undefined; // the caller names the place
  }
}

function settingsOf(node: Node): Settings {
  const entries = node.kind === 'map' ? node.entries : undefined;
  const list = entries?.get('options')?.value;
  const standard = entries?.get('default')?.value;
  return {
    ...(standard && { default: standard }),
    ...(list?.kind === 'list' && { options: list.items }),
  };
}

function readRule(node: Node, problems: Problems): InputRule | undefined {
  const condition = node.kind === 'map' ? node.entries.get('if')?.value : undefined;
  if (condition?.kind !== 'scalar' || condition.value === null) return settingsOf(node);
  const parsed = parseExpression(condition.text, { inputs: true });
  if (!parsed.ok) {
    const { at, message, hint } = parsed.mistake;
    problems.add('language/expression', `the condition ${message}`, { at: originIn(condition, at), hint });
    return undefined;
  }
  const inputs = new Set<string>();
  if (!onlyInputs(parsed.expression, inputs)) {
    const hint = 'Write $[[ inputs.name ]]; variables are not known here.';
    problems.add('language/expression', 'the condition of an input can use only inputs', {
      at: condition,
      hint,
    });
    return undefined;
  }
  return { ...settingsOf(node), condition: { expression: parsed.expression, inputs } };
}

/** The lexer's prefix for inputs, which no variable can have. */
const INPUT_PREFIX = 'inputs.';

function onlyInputs(expression: Expression, found: Set<string>): boolean {
  if (expression.kind === 'operation')
    return onlyInputs(expression.left, found) && onlyInputs(expression.right, found);
  if (expression.kind !== 'variable') return true;
  if (!expression.name.startsWith(INPUT_PREFIX)) return false;
  found.add(expression.name.slice(INPUT_PREFIX.length));
  return true;
}

/** Every input that a rule uses exists, and rules form no cycle. */
function checkReferences(inputs: ReadonlyMap<string, InputSpec>, problems: Problems): boolean {
  const done = new Set<string>();
  const path: string[] = [];
  const visit = (spec: InputSpec): boolean => {
    if (done.has(spec.name)) return true;
    if (path.includes(spec.name)) {
      const cycle = [...path.slice(path.indexOf(spec.name)), spec.name].join(' -> ');
      problems.add('language/cycle', `rules of inputs form a cycle: ${cycle}`, { at: spec.at });
      return false;
    }
    path.push(spec.name);
    const asked = new Set(spec.rules?.flatMap((one) => [...(one.condition?.inputs ?? [])]));
    const valid = [...asked].every((other) => {
      const target = inputs.get(other);
      if (target) return visit(target);
      const what = `a rule of the input "${spec.name}" uses the input "${other}", which does not exist`;
      problems.add('language/input', what, { at: spec.at, hint: didYouMean(other, inputs.keys()) });
      return false;
    });
    path.pop();
    done.add(spec.name);
    return valid;
  };
  return [...inputs.values()].every(visit);
}
