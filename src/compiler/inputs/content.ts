/**
 * From the text of a file and its inputs to its content: checks the header and interpolates the inputs.
 *
 * Used for the pipeline's own file and for every included one, of any kind: the including file gives `inputs`
 * as written, and for a component its facts. A file is parsed once, and interpolated for each use.
 */
import type { Problems } from '../problems.ts';
import type { CompileRequest } from '../request.ts';
import { ConditionScopes, type ConditionScope } from '../rules/scope.ts';
import { isNull, type Node } from '../yaml/nodes.ts';
import { readYaml } from '../yaml/read.ts';
import { SourceText, type Origin } from '../source-text.ts';
import { findBlocks, shortened } from './blocks.ts';
import type { VariableLookup } from './functions.ts';
import { interpolate, placeOf, type Growth } from './interpolate.ts';
import { resolveInputs, type GivenInputs } from './resolve.ts';
import { COMPONENT_FACTS, readSpec, type ComponentFact, type Spec } from '../schema/keywords/input-spec.ts';
import { scalarAt } from './values.ts';

export type { GivenInputs } from './resolve.ts';
/** Values of `$[[ component.NAME ]]`; null if there is none, as for the version of a branch. */
export type ComponentFacts = Readonly<Record<ComponentFact, string | null>>;

export interface UsedBy {
  /** `include:inputs`, or the inputs of the run. */
  given?: GivenInputs;
  /** Where the file is included; absent for the pipeline's own file. */
  at?: Origin;
  component?: ComponentFacts;
}
interface Parsed {
  text: string;
  content: Node | undefined;
  header?: { at: Node; spec: Spec | undefined };
}

export class ContentReader {
  readonly #request: CompileRequest;
  readonly #problems: Problems;
  readonly #parsed = new Map<string, Parsed | undefined>();
  readonly #growth: Growth = { characters: 0 };
  #scope: ConditionScope | undefined;

  constructor(request: CompileRequest, problems: Problems) {
    this.#request = request;
    this.#problems = problems;
  }

  /** Undefined when the file cannot be used, with the reason in the problems. An empty document is a null. */
  read(file: { name: string; text: string }, used: UsedBy = {}): Node | undefined {
    const parsed = this.#parse(file);
    if (!parsed) return undefined;
    const { content, header } = parsed;
    const given: GivenInputs = used.given ?? new Map();
    if (!header) {
      const [unknown] = given.values();
      if (unknown)
        this.#problems.add(
          'language/input',
          `${file.name} takes no inputs: it has no header with spec:inputs`,
          {
            at: unknown.at,
          },
        );
      return content;
    }
    if (!header.spec || !content) return undefined;
    const inputs = resolveInputs(header.spec, { given, at: used.at }, this.#problems);
    if (!inputs) return undefined;
    return interpolate(content, {
      contexts: new Map([
        ['inputs', inputs],
        ['component', componentValues(header, used.component)],
      ]),
      lookup: this.#lookup,
      growth: this.#growth,
      problems: this.#problems,
    });
  }

  #parse({ name, text }: { name: string; text: string }): Parsed | undefined {
    const known = this.#parsed.get(name);
    if (known?.text === text) return known;
    const documents = readYaml(name, text, this.#problems);
    const parsed = documents && this.#split(name, documents, text);
    this.#parsed.set(name, parsed);
    return parsed;
  }

  /** As in GitLab: empty documents do not count; a header is the first of two documents and has `spec`. */
  #split(name: string, documents: readonly Node[], text: string): Parsed | undefined {
    const full = documents.filter((document) => !isNull(document));
    const [first, second, third] = full;
    if (third) {
      const what = `${name} has more than two documents: only a header and the content are allowed`;
      this.#problems.add('language/yaml', what, { at: third });
      return undefined;
    }
    const spec = first?.kind === 'map' ? first.entries.get('spec') : undefined;
    if (first?.kind === 'map' && spec && (second || documents.length > 1)) {
      if (!second)
        this.#problems.add('language/missing', `${name} has a header but no content below ---`, {
          at: spec.at,
        });
      return { text, content: second, header: { at: first, spec: readSpec(first, this.#problems) } };
    }
    if (second) {
      const what = `GitLab ignores this document: the one before it is not a header with spec`;
      this.#problems.add('language/yaml', what, { at: second, severity: 'warning' });
    }
    if (first && text.includes('$[[')) this.#warnOfBlocks(first);
    const empty = scalarAt({ source: new SourceText(name, text), offset: 0 }, null);
    return { text, content: first ?? documents[0] ?? empty };
  }

  /** Without a header nothing is interpolated: the shell would see the brackets. */
  #warnOfBlocks(root: Node): void {
    const done = new Set<Node>();
    const visit = (node: Node): void => {
      if (done.has(node)) return;
      done.add(node);
      if (node.kind === 'list') for (const item of node.items) visit(item);
      if (node.kind === 'map') for (const { value } of node.entries.values()) visit(value);
      if (node.kind !== 'scalar') return;
      const block = findBlocks(node.text).find(({ data }) => data.startsWith('inputs.'));
      if (!block) return;
      const what = `${shortened(block.text)} is not replaced: the file has no header with spec:inputs`;
      this.#problems.add('language/input', what, { at: placeOf(block, node), severity: 'warning' });
    };
    visit(root);
  }

  /** Variables that `include` can use, not expanded again. */
  readonly #lookup: VariableLookup = (name) => {
    const scope = (this.#scope ??= new ConditionScopes(this.#request, {}).of());
    const value = scope.lookup(name);
    if (value === undefined) return undefined;
    const reference = `\${${name}}`;
    const { text, tainted } = scope.settle(reference);
    // A file variable is a path that only the job's machine knows: the shell expands it there.
    return text === reference && !tainted ? undefined : { value, hidden: tainted };
  };
}

function componentValues(
  { at, spec }: { at: Node; spec: Spec | undefined },
  facts: ComponentFacts | undefined,
): Map<string, Node> {
  const wanted = COMPONENT_FACTS.filter((fact) => facts && spec?.component.has(fact));
  return new Map(wanted.map((fact) => [fact, scalarAt(at, facts?.[fact] ?? null)]));
}

/** The value of `inputs` of an include, as it was written. */
export const givenBy = (inputs: Node | undefined): GivenInputs | undefined =>
  inputs?.kind === 'map' ? inputs.entries : undefined;
