/**
 * Text to nodes, with the place of every one.
 *
 * It does not know any keyword. Invariants: R1 whatever the text is, this returns; it never throws, and never works longer
 * than its budget of tokens. R2 an alias shares its anchor's node, so that a bomb of aliases costs nothing here; the
 * size that it would unfold to is counted and capped. R3 keys that reach a prototype are refused. R4 scalars mean what
 * they mean to GitLab (`scalars.ts`); `<<` merges in the order it is written in, as Psych does: keys before it are
 * overridden by it, keys after it override it.
 */
import { Problems } from '../problems.ts';
import { MAX_DEPTH } from './build.ts';
import { parseYaml } from './parser.ts';
import type { Node } from './nodes.ts';
import { SourceText } from '../source-text.ts';

/** GitLab's own limit: 2 MiB of text. */
const MAX_CHARACTERS = 2 * 1024 * 1024;

/** All documents of a text; undefined when it could not be read (the problems say why). */
export function readYaml(name: string, text: string, problems: Problems): Node[] | undefined {
  const source = new SourceText(name, text.startsWith('\uFEFF') ? text.slice(1) : text);
  const start = { source, offset: 0 };
  if (text.length > MAX_CHARACTERS) {
    problems.add('language/too-large', `${name} is larger than 2 MiB`, { at: start });
    return undefined;
  }
  const found = new Problems();
  try {
    const documents = parseYaml(source, found);
    return found.mustStop ? undefined : documents;
  } catch (error) {
    // The composer recurses: nesting that is too deep for the stack is too deep for a person.
    if (!(error instanceof RangeError)) throw error;
    const at = { source, offset: 0 };
    found.add('language/too-large', `${source.name} is nested deeper than ${MAX_DEPTH} levels`, { at });
    return undefined;
  } finally {
    problems.absorb(found);
  }
}
