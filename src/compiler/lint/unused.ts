/** Hidden jobs that nothing uses by `extends`, `!reference`, an alias or a merge key. */
import type { Node } from '../yaml/nodes.ts';
import type { LintContext } from './lint-context.ts';

const ANCHOR = /&([^\s,[\]{}]+)/g;

/** Checks only the file itself: an included file, or a file with templates only, may be used by others. */
export function lintUnused({ file, whole, jobs, request, problems }: LintContext): void {
  if (jobs.size === 0 || problems.hasErrors) return;
  const named = namedBy(whole);
  const starts = [...whole.entries.values()]
    .filter((entry) => entry.at.source.name === request.file.name)
    .map((entry) => entry.at.offset)
    .toSorted((a, b) => a - b);
  for (const [name, { at }] of file.entries) {
    if (!name.startsWith('.') || at.source.name !== request.file.name || named.has(name)) continue;
    const end = starts.find((start) => start > at.offset) ?? at.source.text.length;
    if (isAliased(at.source.text, at.offset, end)) continue;
    problems.add('language/unused', `nothing uses the template "${name}"`, { at, severity: 'warning' });
  }
}

/** Every name in an `extends`, or first in a `!reference`. */
function namedBy(whole: Node): ReadonlySet<string> {
  const names = new Set<string>();
  const seen = new Set<Node>();
  const takeTexts = (node: Node): void => {
    if (node.kind === 'scalar') names.add(node.text);
    else if (node.kind === 'list') node.items.forEach(takeTexts);
  };
  const visit = (node: Node): void => {
    if (node.kind === 'scalar' || seen.has(node)) return;
    seen.add(node);
    if (node.kind === 'map')
      for (const [key, { value }] of node.entries) {
        if (key === 'extends') takeTexts(value);
        visit(value);
      }
    else {
      if (node.reference && node.items[0]) takeTexts(node.items[0]);
      node.items.forEach(visit);
    }
  };
  visit(whole);
  return names;
}

/** Whether an anchor between the two offsets has an alias. */
function isAliased(text: string, from: number, to: number): boolean {
  const names = [...text.slice(from, to).matchAll(ANCHOR)].map((found) => found[1] ?? '');
  return names.some((name) => text.includes(`*${name}`));
}
