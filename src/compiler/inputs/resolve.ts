/**
 * The values of a file's inputs: given, else by a rule, else the default; type and options are checked.
 *
 * As GitLab's `Ci::Inputs`: a text for a type other than string is read as JSON, and a string accepts any
 * scalar. Every mistake names the place of the value and the place where the input is declared.
 */
import { placeText } from '../../errors.ts';
import type { Problems } from '../problems.ts';
import { isTruthful, type Value } from '../expression/expression-evaluator.ts';
import { didYouMean } from '../suggest.ts';
import { isNull, kindText, plain, type Entry, type Node } from '../yaml/nodes.ts';
import type { InputRule, InputSpec, InputType, Settings, Spec } from '../schema/keywords/input-spec.ts';
import { jsonNode, scalarAt, shown } from './values.ts';
import type { Origin } from '../source-text.ts';

/** Values by name, each with the places of its name and of itself. */
export type GivenInputs = ReadonlyMap<string, Entry>;
export interface Giver {
  given: GivenInputs;
  /** Where the file is included; absent: the pipeline's own file, whose inputs come with the trigger. */
  at?: Origin;
}

/** Undefined when one of them is wrong or missing, with the reason in the problems. */
export function resolveInputs(spec: Spec, giver: Giver, problems: Problems): Map<string, Node> | undefined {
  const resolver = new Resolver(spec, giver, problems);
  return resolver.all();
}

class Resolver {
  readonly #spec: Spec;
  readonly #giver: Giver;
  readonly #problems: Problems;
  readonly #values = new Map<string, Node>();
  readonly #missing: InputSpec[] = [];
  #wrong = false;

  constructor(spec: Spec, giver: Giver, problems: Problems) {
    this.#spec = spec;
    this.#giver = giver;
    this.#problems = problems;
  }

  all(): Map<string, Node> | undefined {
    const { inputs } = this.#spec;
    for (const [name, { at }] of this.#giver.given)
      if (!inputs.has(name)) {
        const hint = didYouMean(name, inputs.keys()) ?? namesText([...inputs.keys()]);
        this.#add(`there is no input "${name}" in the file's spec:inputs`, at, hint);
      }
    for (const input of inputs.values()) this.#value(input);
    this.#addMissing();
    return this.#wrong ? undefined : this.#values;
  }

  #add(message: string, at: Origin, hint?: string): void {
    this.#wrong = true;
    this.#problems.add('language/input', message, { at, hint });
  }

  /** Rules use other inputs, without cycles: the spec is already checked. */
  #value(input: InputSpec): Node {
    const known = this.#values.get(input.name);
    if (known) return known;
    const nothing = scalarAt(input.at, null);
    const value = this.#work(input) ?? nothing;
    this.#values.set(input.name, value);
    return value;
  }

  #work(input: InputSpec): Node | undefined {
    const rule = input.rules?.find((one) => this.#holds(one));
    const settings: Settings = input.rules ? (rule ?? {}) : input;
    const given = this.#giver.given.get(input.name)?.value;
    const standard =
      settings.default && this.#checked(input, settings, { node: settings.default, given: false });
    if (given && !isNull(given)) return this.#checked(input, settings, { node: given, given: true });
    if (mustBeGiven(input, rule)) this.#missing.push(input);
    // A missing string is empty; a missing value of another type is null.
    return standard ?? (input.type === 'string' ? scalarAt(input.at, '') : undefined);
  }

  #holds({ condition }: InputRule): boolean {
    if (!condition) return true;
    return isTruthful(condition.expression, (name) => {
      const input = this.#spec.inputs.get(name.slice('inputs.'.length));
      return input && comparable(this.#value(input));
    });
  }

  /** The value if its type and options fit; undefined for null and for a wrong type. */
  #checked(
    input: InputSpec,
    settings: Settings,
    { node, given }: { node: Node; given: boolean },
  ): Node | undefined {
    if (isNull(node)) return undefined;
    const what = given ? `the input "${input.name}"` : `the default of the input "${input.name}"`;
    const declared = given ? ` (declared at ${placeText(input.at.source.place(input.at.offset))})` : '';
    const value = coerced(input.type, node);
    if (!value) {
      this.#add(`${what} must be ${TYPE_TEXT[input.type]}, not ${kindText(node)}${declared}`, node);
      return undefined;
    }
    const { options } = settings;
    if (options && !allowed(input.type, value, options)) {
      const list = options.map(shown).join(', ');
      this.#add(
        `${what} must be one of ${list}, not ${shown(node)}${declared}`,
        node,
        hintOf(value, options),
      );
    } else if (input.regex && value.kind === 'scalar' && !input.regex.compiled.matcher(value.text).find())
      this.#add(`${what} must match ${input.regex.text}, but ${shown(node)} does not${declared}`, node);
    return value;
  }

  /** One problem for all of them: they are missing at the same place. */
  #addMissing(): void {
    const [first] = this.#missing;
    if (!first) return;
    const { at: here } = this.#giver;
    const names = this.#missing.map(({ name, at }) =>
      here ? `"${name}" (${placeText(at.source.place(at.offset))})` : `"${name}"`,
    );
    const what = `${names.length === 1 ? 'the input' : 'the inputs'} ${names.join(', ')}`;
    if (here)
      this.#add(
        `${what} must be given here; there is no default`,
        here,
        'Set values under inputs of the include.',
      );
    else
      this.#add(
        `${what} must be given to this pipeline; there is no default`,
        first.at,
        `Give it with --input ${first.name}=VALUE, or set a default.`,
      );
  }
}

const TYPE_TEXT: Readonly<Record<InputType, string>> = {
  string: 'a string',
  number: 'a number',
  boolean: 'true or false',
  array: 'a list',
};

/**
 * With rules: if the matching rule has no default; if none matches, unless some rule has one.
 */
function mustBeGiven({ rules, ...input }: InputSpec, rule: InputRule | undefined): boolean {
  if (!rules) return !input.default;
  if (rule) return !rule.default || isNull(rule.default);
  return !rules.some((one) => one.default);
}

function coerced(type: InputType, node: Node): Node | undefined {
  if (type === 'string') {
    if (node.kind !== 'scalar') return undefined;
    return typeof node.value === 'string' ? node : scalarAt(node, node.text);
  }
  const parsed = node.kind === 'scalar' && typeof node.value === 'string' ? jsonNode(node.text, node) : node;
  if (!parsed) return undefined;
  if (type === 'array') return parsed.kind === 'list' ? parsed : undefined;
  return parsed.kind === 'scalar' && typeof parsed.value === type ? parsed : undefined;
}

function allowed(type: InputType, value: Node, options: readonly Node[]): boolean {
  if (type === 'string') return options.some((option) => option.kind === 'scalar' && textIs(option, value));
  const known = new Set(options.map((option) => JSON.stringify(plain(option))));
  const items = value.kind === 'list' ? value.items : [value];
  return items.every((item) => known.has(JSON.stringify(plain(item))));
}
const textIs = (option: Node, value: Node): boolean =>
  option.kind === 'scalar' && value.kind === 'scalar' && option.text === value.text;

const hintOf = (value: Node, options: readonly Node[]): string | undefined =>
  value.kind === 'scalar'
    ? didYouMean(
        value.text,
        options.map((option) => (option.kind === 'scalar' ? option.text : '')),
      )
    : undefined;

/** What a condition compares: text, boolean or null. A number counts as its text. */
function comparable(node: Node): Value | undefined {
  if (node.kind !== 'scalar') return undefined;
  return typeof node.value === 'number' ? node.text : node.value;
}

const namesText = (names: readonly string[]): string =>
  names.length === 0 ? 'The file has no inputs.' : `The inputs are ${names.slice(0, 10).join(', ')}.`;
