/**
 * Text to nodes, with the place of every one.
 *
 * It does not know any keyword. Invariants: YAML-1 it returns for every text; it never throws, and its work
 * is limited by a number of tokens. YAML-2 an alias shares its anchor's node, so that multiplied aliases cost
 * nothing here; the size after expansion is counted and limited. YAML-3 keys that reach a prototype are
 * refused. YAML-4 scalars mean what they mean in GitLab (`scalars.ts`); `<<` merges in written order, as
 * Psych does: it overrides keys before it, and keys after it override it.
 */
import { Problems } from '../problems.ts';
import { MAX_DEPTH } from './build.ts';
import { parseYaml } from './parser.ts';
import type { Node } from './nodes.ts';
import { SourceText } from '../source-text.ts';

/** GitLab's own limit: 2 MiB of text. */
const MAX_CHARACTERS = 2 * 1024 * 1024;

/** All documents of a text; undefined when it could not be read, with the reason in the problems. */
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
    // The composer recurses: nesting that exhausts the stack is over the limit.
    if (!(error instanceof RangeError)) throw error;
    const at = { source, offset: 0 };
    found.add('language/too-large', `${source.name} is nested deeper than ${MAX_DEPTH} levels`, { at });
    return undefined;
  } finally {
    problems.absorb(found);
  }
}
