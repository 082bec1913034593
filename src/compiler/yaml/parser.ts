/** Parses with the `yaml` library and converts its documents to nodes. */
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
} from 'yaml';
import type { Problems } from '../problems.ts';
import { MAX_DEPTH, TreeBuilder, type RawEntry } from './build.ts';
import { isLost, listNode, type Node, type ScalarNode, type ScalarStyle } from './nodes.ts';
import { didYouMean } from '../suggest.ts';
import { mistakesOf } from './syntax-errors.ts';
import type { SourceText, Origin } from '../source-text.ts';

/** Limit of lexer tokens: an ordinary file has one for every three characters, so 2 MiB fit. */
const MAX_TOKENS = 700_000;
/** Limit of open collections and items in the parser. */
const MAX_STACK = 3 * MAX_DEPTH;
const MAX_SYNTAX_ERRORS = 20;

/**
 * All documents; undefined when the text could not be read, with the reason in the problems. Throws
 * RangeError on deep nesting.
 */
export function parseYaml(source: SourceText, problems: Problems): Node[] | undefined {
  const documents = compose(source, problems);
  if (!documents || problems.hasErrors) return undefined;
  return documents.map((document) => new Reader(new TreeBuilder(source, problems)).document(document));
}

function compose(source: SourceText, problems: Problems): Document.Parsed[] | undefined {
  const parser = new Parser();
  const composer = new Composer({
    schema: 'failsafe',
    // Otherwise the library makes sets and ordered maps, which have no places.
    resolveKnownTags: false,
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
    const deep = depth > MAX_DEPTH || parser.stack.length > MAX_STACK;
    if (tokens > MAX_TOKENS || deep) {
      const what = deep ? `is nested deeper than ${MAX_DEPTH} levels` : 'has too many tokens';
      problems.add('language/too-large', `${source.name} ${what}`, { at: { source, offset: 0 } });
      return undefined;
    }
    for (const token of parser.next(lexeme))
      for (const document of composer.next(token)) documents.push(document);
  }
  for (const token of parser.end()) for (const document of composer.next(token)) documents.push(document);
  for (const document of composer.end()) documents.push(document);
  const errors = documents.flatMap((document) =>
    document.errors.map(({ code, message, pos }) => ({ code, message, offset: pos[0] })),
  );
  for (const { offset, message, hint } of mistakesOf(source.text, errors).slice(0, MAX_SYNTAX_ERRORS))
    problems.add('language/yaml', message, { at: { source, offset }, hint });
  return documents;
}

class Reader {
  readonly #build: TreeBuilder;

  constructor(build: TreeBuilder) {
    this.#build = build;
  }

  document(document: Document.Parsed): Node {
    return this.#build.done(document.contents ? this.#node(document.contents, 0) : this.#build.empty(0));
  }

  #node(node: ParsedNode, depth: number): Node {
    const origin = this.#build.origin(node.range[0]);
    if (depth > MAX_DEPTH) {
      const message = `nested deeper than ${MAX_DEPTH} levels`;
      this.#build.problems.add('language/too-large', message, { at: origin });
      return this.#build.empty(origin.offset);
    }
    if (isAlias(node)) return this.#build.alias(node.source, origin.offset, depth);
    if (node.anchor) this.#build.openAnchor(node.anchor);
    const reference = node.tag === '!reference' && isSeq(node);
    if (!reference && !this.#knowsTag(node.tag, origin, isScalar(node))) {
      const lost = this.#build.lost(origin.offset);
      if (node.anchor) this.#build.closeAnchor(node.anchor, lost);
      return lost;
    }
    let made: Node;
    if (isMap(node)) made = this.#map(node, origin, depth);
    else if (isSeq(node)) {
      const items = node.items.map((item) => this.#node(item, depth + 1)).filter((item) => !isLost(item));
      made = reference ? { ...listNode(origin, items), reference } : listNode(origin, items);
    } else made = this.#scalar(node, origin);
    if (node.anchor) this.#build.closeAnchor(node.anchor, made);
    return made;
  }

  /** False for a tag that gives the value another meaning, which is reported. */
  #knowsTag(tag: string | undefined, at: Origin, scalar: boolean): boolean {
    if (!tag || tag === '!') return true;
    const { problems } = this.#build;
    if (tag === '!reference') {
      const hint = 'For example: !reference [.template, script]';
      problems.add('language/type', '!reference takes a list of names: a job, then a keyword', { at, hint });
      return false;
    }
    if ((scalar && tag === 'tag:yaml.org,2002:str') || /^tag:yaml\.org,2002:(map|seq)$/.test(tag))
      return true;
    problems.add('language/yaml', `the tag ${tag} is unknown`, {
      at,
      hint:
        didYouMean(tag, ['!reference']) ??
        'The only tag with a meaning here is !reference [JOB, KEYWORD]. Put a text that begins with ! in quotes.',
    });
    return false;
  }

  #scalar(node: Scalar.Parsed, origin: Origin): ScalarNode {
    const text = typeof node.value === 'string' ? node.value : '';
    const style = styleOf(node.type);
    const isText = node.tag === 'tag:yaml.org,2002:str' || node.tag === '!';
    return this.#build.scalar(text, origin.offset, style === 'plain' && isText ? 'quoted' : style);
  }

  #map(node: YAMLMap.Parsed, origin: Origin, depth: number): Node {
    const pairs: RawEntry[] = [];
    for (const pair of node.items) {
      const at = this.#build.origin(pair.key.range[0]);
      if (!isScalar(pair.key)) {
        this.#build.problems.add('language/yaml', 'a key must be a plain name', { at });
        continue;
      }
      const key = String(pair.key.value ?? '');
      const value = pair.value ? this.#node(pair.value, depth + 1) : this.#build.empty(pair.key.range[1]);
      pairs.push({ key, at, value, merges: key === '<<' && pair.key.type === 'PLAIN' });
    }
    return this.#build.map(origin.offset, pairs);
  }
}

function styleOf(type: Scalar.Type | null | undefined): ScalarStyle {
  if (type === 'BLOCK_LITERAL') return 'literal';
  if (type === 'BLOCK_FOLDED') return 'folded';
  return type === 'QUOTE_DOUBLE' || type === 'QUOTE_SINGLE' ? 'quoted' : 'plain';
}
