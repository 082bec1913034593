/**
 * Text to nodes, with the place of every one.
 *
 * It does not know any keyword. Invariants: R1 whatever the text is, this returns; it never throws, and never works longer
 * than its budget of tokens. R2 an alias shares its anchor's node, so that a bomb of aliases costs nothing here; the
 * size that it would unfold to is counted and capped. R3 keys that reach a prototype are refused. R4 scalars mean what
 * they mean to GitLab (`scalars.ts`); `<<` merges in the order it is written in, as Psych does: keys before it are
 * overridden by it, keys after it override it.
 */
import {
  Composer,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  Lexer,
  Parser,
  type Document,
  type ParsedNode,
  type Scalar,
  type YAMLMap,
  type YAMLSeq,
} from 'yaml';
import type { Problems } from '../problems.ts';
import {
  listNode,
  mapNode,
  type Entry,
  type ListNode,
  type MapNode,
  type Node,
  type Origin,
  type ScalarNode,
  type ScalarStyle,
} from './nodes.ts';
import { plainScalar, scalarText } from './scalars.ts';
import { SourceText } from './source.ts';

/** GitLab's own limits: 2 MiB of text, 100 levels. */
const MAX_CHARACTERS = 2 * 1024 * 1024;
const MAX_DEPTH = 100;
/** Pieces of text that the lexer may hand out; an ordinary file has one for every three characters. */
const MAX_TOKENS = 1_000_000;
/** Nodes after all aliases are unfolded. */
const MAX_NODES = 1_000_000;
const MAX_SYNTAX_ERRORS = 20;
const FORBIDDEN = new Set(['__proto__', 'constructor', 'prototype']);

/** All documents of a text; undefined when it could not be read (the problems say why). */
export function readYaml(name: string, text: string, problems: Problems): Node[] | undefined {
  const source = new SourceText(name, text.startsWith('\uFEFF') ? text.slice(1) : text);
  const start = { source, offset: 0 };
  if (text.length > MAX_CHARACTERS) {
    problems.add('language/too-large', `${name} is larger than 2 MiB`, { at: start });
    return undefined;
  }
  try {
    const documents = compose(source, problems);
    if (!documents || problems.hasErrors) return undefined;
    return documents.map((document) => new Reader(source, problems).document(document));
  } catch (error) {
    // The composer recurses: nesting that is too deep for the stack is too deep for a person.
    if (!(error instanceof RangeError)) throw error;
    problems.add('language/too-large', `${name} is nested deeper than ${MAX_DEPTH} levels`, { at: start });
    return undefined;
  }
}

function compose(source: SourceText, problems: Problems): Document.Parsed[] | undefined {
  const parser = new Parser();
  const composer = new Composer({
    schema: 'failsafe',
    uniqueKeys: false,
    prettyErrors: false,
    logLevel: 'silent',
  });
  const documents: Document.Parsed[] = [];
  let tokens = 0;
  let depth = 0;
  for (const lexeme of new Lexer().lex(source.text)) {
    tokens += 1;
    if (lexeme === '[' || lexeme === '{') depth += 1;
    else if (lexeme === ']' || lexeme === '}') depth -= 1;
    if (tokens > MAX_TOKENS || depth > MAX_DEPTH) {
      const what = depth > MAX_DEPTH ? `is nested deeper than ${MAX_DEPTH} levels` : 'has too many pieces';
      problems.add('language/too-large', `${source.name} ${what}`, { at: { source, offset: 0 } });
      return undefined;
    }
    for (const token of parser.next(lexeme))
      for (const document of composer.next(token)) documents.push(document);
  }
  for (const token of parser.end()) for (const document of composer.next(token)) documents.push(document);
  for (const document of composer.end()) documents.push(document);
  const errors = documents.flatMap((document) => document.errors);
  for (const error of errors.slice(0, MAX_SYNTAX_ERRORS))
    problems.add('language/yaml', `not valid YAML: ${error.message}`, {
      at: { source, offset: error.pos[0] },
    });
  return documents;
}

class Reader {
  readonly #source: SourceText;
  readonly #problems: Problems;
  /** undefined: the anchor's own node is still being read. */
  readonly #anchors = new Map<string, Node | undefined>();

  constructor(source: SourceText, problems: Problems) {
    this.#source = source;
    this.#problems = problems;
  }

  document(document: Document.Parsed): Node {
    const node = document.contents ? this.#node(document.contents, 0) : this.#null(0);
    if (node.size > MAX_NODES)
      this.#problems.add('language/too-large', 'aliases unfold to more than a million values', { at: node });
    return node;
  }

  #node(node: ParsedNode, depth: number): Node {
    const origin = { source: this.#source, offset: node.range[0] };
    if (depth > MAX_DEPTH) {
      this.#problems.add('language/too-large', `nested deeper than ${MAX_DEPTH} levels`, { at: origin });
      return this.#null(origin.offset);
    }
    if (isAlias(node)) return this.#alias(node.source, origin, depth);
    if (node.anchor) this.#anchors.set(node.anchor, undefined);
    this.#checkTag(node.tag, origin, isScalar(node));
    let made: Node;
    if (isMap(node)) made = this.#map(node, origin, depth);
    else if (isSeq(node)) made = this.#list(node, origin, depth);
    else made = this.#scalar(node, origin);
    if (node.anchor) this.#anchors.set(node.anchor, made);
    return made;
  }

  #alias(name: string, origin: Origin, depth: number): Node {
    const found = this.#anchors.get(name);
    if (found && depth + found.height > MAX_DEPTH) {
      this.#problems.add('language/too-large', `nested deeper than ${MAX_DEPTH} levels by aliases`, {
        at: origin,
      });
      return this.#null(origin.offset);
    }
    if (found) return found;
    const what = this.#anchors.has(name) ? 'is inside of its own anchor' : 'has no anchor before it';
    this.#problems.add('language/yaml', `the alias *${name} ${what}`, { at: origin });
    return this.#null(origin.offset);
  }

  #checkTag(tag: string | undefined, at: Origin, scalar: boolean): void {
    if (!tag || tag === '!') return;
    if (tag === '!reference')
      this.#problems.add('language/not-yet', 'the tag !reference is not supported yet', { at });
    else if (!(scalar && tag === 'tag:yaml.org,2002:str') && !/^tag:yaml\.org,2002:(map|seq)$/.test(tag))
      this.#problems.add('language/yaml', `the tag ${tag} is unknown`, { at });
  }

  #scalar(node: Scalar.Parsed, origin: Origin): ScalarNode {
    const text = typeof node.value === 'string' ? node.value : '';
    const isPlain = node.type === 'PLAIN' || node.type === undefined || node.type === null;
    if (!isPlain || node.tag === 'tag:yaml.org,2002:str' || node.tag === '!')
      return { kind: 'scalar', ...origin, value: text, text, style: styleOf(node.type), size: 1, height: 1 };
    const value = plainScalar(text);
    const asText = typeof value === 'string' ? value : scalarText(value, text);
    return { kind: 'scalar', ...origin, value, text: asText, style: 'plain', size: 1, height: 1 };
  }

  #list(node: YAMLSeq.Parsed, origin: Origin, depth: number): ListNode {
    return listNode(
      origin,
      node.items.map((item) => this.#node(item, depth + 1)),
    );
  }

  #map(node: YAMLMap.Parsed, origin: Origin, depth: number): MapNode {
    const entries = new Map<string, Entry>();
    const own = new Set<string>();
    for (const pair of node.items) {
      if (!isScalar(pair.key)) {
        this.#problems.add('language/yaml', 'a key must be a plain name', {
          at: { source: this.#source, offset: pair.key.range[0] },
        });
        continue;
      }
      const key = String(pair.key.value ?? '');
      const at = { source: this.#source, offset: pair.key.range[0] };
      const value = pair.value ? this.#node(pair.value, depth + 1) : this.#null(pair.key.range[1]);
      if (key === '<<' && pair.key.type === 'PLAIN') this.#merge(entries, value);
      else this.#put(entries, { key, at, value }, own);
    }
    return mapNode(origin, entries);
  }

  #put(entries: Map<string, Entry>, entry: Entry, own: Set<string>): void {
    if (FORBIDDEN.has(entry.key)) {
      this.#problems.add('language/forbidden-key', `"${entry.key}" cannot be a key`, { at: entry.at });
      return;
    }
    if (own.has(entry.key)) {
      const first = entries.get(entry.key)?.at;
      const where = first ? ` (first on line ${first.source.place(first.offset).line})` : '';
      this.#problems.add(
        'language/duplicate-key',
        `"${entry.key}" stands twice in this map${where}; the last counts`,
        {
          at: entry.at,
          severity: 'warning',
        },
      );
    }
    own.add(entry.key);
    entries.set(entry.key, entry);
  }

  #merge(entries: Map<string, Entry>, value: Node): void {
    if (value.kind === 'map') for (const [key, entry] of value.entries) entries.set(key, entry);
    else if (value.kind === 'list' && value.items.every((item) => item.kind === 'map')) {
      // The first of the list wins over the later ones.
      for (const item of [...value.items].reverse()) this.#merge(entries, item);
    } else if (!(value.kind === 'scalar' && value.value === null))
      this.#problems.add('language/yaml', '<< merges a map, or a list of maps', { at: value });
  }

  #null(offset: number): ScalarNode {
    return {
      kind: 'scalar',
      source: this.#source,
      offset,
      value: null,
      text: '',
      style: 'plain',
      size: 1,
      height: 1,
    };
  }
}

function styleOf(type: Scalar.Type | null | undefined): ScalarStyle {
  if (type === 'BLOCK_LITERAL') return 'literal';
  return type === 'BLOCK_FOLDED' ? 'folded' : 'quoted';
}
