/**
 * `include`: included files are merged below the including file in their order, each with its own includes
 * below it.
 *
 * Pure: texts come with the request; what is missing is noted in `needed`, and the caller loads it and tries
 * again. Invariants: INCLUDE-1 at most 150 includes, counting repeats. INCLUDE-2 a cycle is an error that
 * names its path. INCLUDE-3 a value keeps the place where it was written, and the file keeps the place where
 * it was included.
 */
import { ContentReader, givenBy, type ComponentFacts, type GivenInputs } from '../inputs/content.ts';
import type { Problems } from '../problems.ts';
import { didYouMean } from '../suggest.ts';
import type { CompileRequest } from '../request.ts';
import type { ConditionScope } from '../rules/scope.ts';
import { includeReader, type WrittenInclude } from '../schema/keywords/include.ts';
import { MAX_NODES } from '../yaml/build.ts';
import { itemNodes } from '../yaml/rule-nodes.ts';
import { isNull, mapNode, type MapNode, type Node } from '../yaml/nodes.ts';
import { IncludeLocator, type IncludesNeeded, type Item } from './include-locate.ts';
import { includeScopes, OWN, type Base, type Found } from './include-scope.ts';
import { IncludeRules } from './include-rules.ts';
import { mergeMaps } from './merge.ts';
import { unknownText } from './unknown-jobs.ts';

export type { IncludesNeeded } from './include-locate.ts';

const MAX_INCLUDES = 150;
/** Total characters of all included files. */
const MAX_TEXT = 32 * 1024 * 1024;

/** The path to a file: its base, and the files that include it. */
interface Way {
  base: Base;
  /** Files that include it, by id and by name. */
  ids: readonly string[];
  names: readonly string[];
}

export class Includer {
  readonly #problems: Problems;
  readonly #locator: IncludeLocator;
  readonly #rules: IncludeRules;
  readonly #scopeOf: (base: Base) => ConditionScope;
  readonly #contents: ContentReader;
  /** Ids of files that were read. */
  readonly #seen = new Set<string>();
  /** Files of the own source that can be included, if they are known. */
  readonly #files: readonly string[];
  #count = 0;
  #characters = 0;

  /**
   * `contents` also reads the pipeline's own file: the size of interpolated text is limited over all files.
   */
  constructor(request: CompileRequest, problems: Problems, contents = new ContentReader(request, problems)) {
    this.#problems = problems;
    this.#contents = contents;
    this.#locator = new IncludeLocator(request, problems);
    this.#rules = new IncludeRules(request, problems, this.#locator);
    this.#scopeOf = includeScopes(request);
    this.#files = (request.files ?? []).filter((file) => /\.ya?ml$/i.test(file));
  }

  get needed(): IncludesNeeded {
    return this.#locator.needed;
  }

  /**
   * The pipeline's file with all its includes merged, without `include`. Undefined if a template of GitLab could not be
   * read: what follows from that would be told as further mistakes.
   */
  whole(root: MapNode, name: string): MapNode | undefined {
    const whole = this.#expand(root, { base: OWN, ids: [name], names: [name] });
    const { unread } = this.#locator;
    for (const { name: template, at, refused } of unread) {
      const { code, message, hint } = refused;
      this.#problems.add(code, `${message} ${unknownText(template, whole)}`, { at, hint });
    }
    return unread.length === 0 ? whole : undefined;
  }

  #expand(root: MapNode, way: Way): MapNode {
    const entry = root.entries.get('include');
    if (!entry) return root;
    const entries = new Map(root.entries);
    entries.delete('include');
    const own = mapNode(root, entries);
    if (isNull(entry.value)) return own;
    const items = includeReader.read(entry.value, this.#problems) ?? [];
    const nodes = itemNodes(entry.value);
    let below: MapNode | undefined;
    for (const [index, written] of items.entries()) {
      const at = nodes[index] ?? entry.value;
      for (const found of this.#filesOf(written, at, way.base)) {
        if (this.#problems.mustStop) return own;
        const map = this.#included(found, at, way);
        if (map) below = below ? mergeMaps(below, map) : map;
      }
    }
    const merged = below ? mergeMaps(below, own) : own;
    if (merged.size > MAX_NODES)
      this.#problems.add('language/too-large', 'includes expand to more than a million values', {
        at: entry.at,
      });
    return merged;
  }

  #filesOf(written: WrittenInclude, at: Node, base: Base): Found[] {
    const item: Item = { at, base, scope: this.#scopeOf(base) };
    return this.#rules.hold(written.rules, at, item) ? this.#locator.find(written, item) : [];
  }

  #included(found: Found, at: Node, way: Way): MapNode | undefined {
    this.#count += 1;
    if (this.#count > MAX_INCLUDES) {
      const what = `more than ${MAX_INCLUDES} files are included, counting repeats`;
      this.#problems.add('language/too-large', what, { at });
      return undefined;
    }
    const start = way.ids.indexOf(found.id);
    if (start !== -1) {
      const cycle = [...way.names.slice(start), found.name].join(' -> ');
      this.#problems.add('language/cycle', `include forms a cycle: ${cycle}`, { at });
      return undefined;
    }
    const map = this.#map(found, at);
    const ids = [...way.ids, found.id];
    return map && this.#expand(map, { base: found.base, ids, names: [...way.names, found.name] });
  }

  /** A file's content with its inputs interpolated: a file that is included twice may differ. */
  #map(found: Found, at: Node): MapNode | undefined {
    const { id, name, text } = found;
    const first = !this.#seen.has(id);
    this.#seen.add(id);
    if (text === undefined) return undefined;
    if (text === null) {
      const hint = (): string | undefined => didYouMean(name, this.#files);
      if (first) this.#problems.add('language/include', `the source has no file ${name}`, { at, hint });
      return undefined;
    }
    this.#problems.noteInclude(name, at);
    if (first) this.#characters += text.length;
    if (this.#characters > MAX_TEXT) {
      this.#problems.add('language/too-large', 'the included files together are larger than 32 MiB', { at });
      return undefined;
    }
    const given: GivenInputs | undefined =
      at.kind === 'map' ? givenBy(at.entries.get('inputs')?.value) : undefined;
    const root = this.#contents.read({ name, text }, { at, given, component: factsOf(found.base) });
    if (root?.kind === 'map') return root;
    if (root)
      this.#problems.add('language/include', `the included file ${name} is not a map of jobs`, { at });
    return undefined;
  }
}

function factsOf(base: Base): ComponentFacts | undefined {
  if (base.kind !== 'project' || !base.component) return undefined;
  const { name, sha, reference, version = null } = base.component;
  return { name, sha, reference, version };
}
