/**
 * `include`: the files that a file is made of, merged below it in their order, each with its own includes below it.
 *
 * Pure: texts come with the request; what is missing is noted in `needed`, for whoever can read it and ask again.
 * Invariants: I1 at most 150 includes, every repeat counted. I2 a circle is an error that names its path. I3 a value keeps
 * the place in the file it was written in.
 */
import { RE2JS } from 're2js';
import { ContentReader, givenBy, type UsedBy } from '../inputs/content.ts';
import type { Problems } from '../problems.ts';
import type { CompileRequest } from '../request.ts';
import { ConditionChecker } from '../rules/conditions.ts';
import { ConditionScopes, type ConditionScope } from '../rules/scope.ts';
import { pathTrouble } from '../schema/common.ts';
import { includeReader, type WrittenInclude } from '../schema/include.ts';
import { MAX_NODES } from '../yaml/build.ts';
import { isNull, mapNode, nodeAt, type MapNode, type Node } from '../yaml/nodes.ts';
import { mergeMaps } from './merge.ts';

const MAX_INCLUDES = 150;
/** Characters of all included files together. */
const MAX_TEXT = 32 * 1024 * 1024;

export interface IncludesNeeded {
  /** Keys of `CompileRequest.included` that are not there yet. */
  files: Set<string>;
  /** `CompileRequest.files` is needed: for a wildcard, or a rule with `exists`. */
  list: boolean;
}

export class Includer {
  readonly needed: IncludesNeeded = { files: new Set(), list: false };
  readonly #request: CompileRequest;
  readonly #problems: Problems;
  readonly #scope: ConditionScope;
  readonly #checker: ConditionChecker;
  readonly #texts = new Map<string, string | undefined>();
  readonly #contents: ContentReader;
  #count = 0;
  #characters = 0;

  /** `contents` is the reader of the pipeline's own file too: what inputs make is bounded over all files. */
  constructor(request: CompileRequest, problems: Problems, contents = new ContentReader(request, problems)) {
    this.#request = request;
    this.#problems = problems;
    this.#contents = contents;
    this.#scope = new ConditionScopes(request, {}).of();
    this.#checker = new ConditionChecker(request);
  }

  /** The file with all that it includes, and no `include` left in it. */
  expand(root: MapNode, path: readonly string[]): MapNode {
    const entry = root.entries.get('include');
    if (!entry) return root;
    const entries = new Map(root.entries);
    entries.delete('include');
    const own = mapNode(root, entries);
    if (isNull(entry.value)) return own;
    const items = includeReader.read(entry.value, this.#problems) ?? [];
    let below: MapNode | undefined;
    for (const [index, item] of items.entries()) {
      const at = entry.value.kind === 'list' ? nodeAt(entry.value, [index]) : entry.value;
      for (const file of this.#filesOf(item, at)) {
        if (this.#problems.mustStop) return own;
        const map = this.#included(file, at, path);
        if (map) below = below ? mergeMaps(below, map) : map;
      }
    }
    const merged = below ? mergeMaps(below, own) : own;
    if (merged.size > MAX_NODES)
      this.#problems.add('language/too-large', 'includes make more than a million values', { at: entry.at });
    return merged;
  }

  #filesOf({ local, rules }: WrittenInclude, at: Node): string[] {
    if (rules?.some((rule) => rule.exists) && !this.#request.files) {
      this.needed.list = true;
      return [];
    }
    const rule = rules?.find(
      ({ if: text, exists }) => this.#checker.failed({ if: text, exists }, this.#scope) === undefined,
    );
    if (rules && (!rule || rule.when === 'never')) return [];
    const file = this.#scope.expand(local).replace(/^\/+/, '');
    const trouble =
      pathTrouble(file) ?? (/\.ya?ml$/.test(file) ? undefined : `"${file}" must end in .yml or .yaml`);
    if (trouble) {
      this.#problems.add('language/include', `include ${trouble}`, { at });
      return [];
    }
    return file.includes('*') ? this.#matching(file) : [file];
  }

  /** As GitLab: `*` stops at slashes, `**` does not. None is no mistake. */
  #matching(pattern: string): string[] {
    const { files } = this.#request;
    if (!files) this.needed.list = true;
    const text = pattern
      .split('**')
      .map((part) => part.split('*').map(escape).join('[^/]*'))
      .join('.*');
    const regex = RE2JS.compile(`^${text}$`, RE2JS.DOTALL);
    return (files ?? []).filter((file) => regex.matcher(file).find()).toSorted();
  }

  #included(file: string, at: Node, path: readonly string[]): MapNode | undefined {
    this.#count += 1;
    if (this.#count > MAX_INCLUDES) {
      const what = `more than ${MAX_INCLUDES} files are included, repeated ones counted`;
      this.#problems.add('language/too-large', what, { at });
      return undefined;
    }
    if (path.includes(file)) {
      const circle = [...path.slice(path.indexOf(file)), file].join(' -> ');
      this.#problems.add('language/cycle', `include goes in a circle: ${circle}`, { at });
      return undefined;
    }
    const given = at.kind === 'map' ? givenBy(at.entries.get('inputs')?.value) : undefined;
    const map = this.#map(file, { at, given });
    return map && this.expand(map, [...path, file]);
  }

  /** A file's content, its inputs filled in: a file that is included twice may differ. */
  #map(file: string, used: UsedBy & { at: Node }): MapNode | undefined {
    const text = this.#text(file, used.at);
    if (text === undefined) return undefined;
    const root = this.#contents.read({ name: file, text }, used);
    if (root?.kind === 'map') return root;
    if (root)
      this.#problems.add('language/include', `the included file ${file} is no map of jobs`, { at: used.at });
    return undefined;
  }

  #text(file: string, at: Node): string | undefined {
    if (this.#texts.has(file)) return this.#texts.get(file);
    let text = this.#request.included?.[file];
    if (text === undefined) this.needed.files.add(file);
    else if (text === null) this.#problems.add('language/include', `the source has no file ${file}`, { at });
    else {
      this.#characters += text.length;
      if (this.#characters > MAX_TEXT) {
        const what = 'the included files are larger than 32 MiB together';
        this.#problems.add('language/too-large', what, { at });
        text = undefined;
      }
    }
    this.#texts.set(file, text ?? undefined);
    return text ?? undefined;
  }
}
const escape = (text: string): string => text.replace(/[\\^$.|?*+()[\]{}]/g, '\\$&');
