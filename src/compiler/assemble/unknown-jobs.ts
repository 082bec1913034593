/** What cannot be known about a file while a template that it includes cannot be read. */
import { TOP } from '../schema/keyword-table.ts';
import type { MapNode, Node } from '../yaml/nodes.ts';

/** With one of these a job says itself what it does. */
const WORK = ['script', 'run', 'trigger', 'build', 'push', 'deploy', 'apitest', 'gate'];
const MAX_NAMED = 20;

/** One sentence: the template's own jobs, and those of the file that have their work or their base from it. */
export function unknownText(template: string, file: MapNode): string {
  const names = unknownJobs(file);
  const shown = names.slice(0, MAX_NAMED).join(', ');
  const more = names.length > MAX_NAMED ? ` and ${names.length - MAX_NAMED} more` : '';
  return `Not known: the jobs of ${template}${names.length > 0 ? `, and of this file ${shown}${more}` : ''}.`;
}

function unknownJobs(file: MapNode): string[] {
  return [...file.entries].flatMap(([name, { value }]) => {
    if (TOP.has(name) || value.kind !== 'map') return [];
    const bases = textsOf(value.entries.get('extends')?.value);
    if (bases.some((base) => !file.entries.has(base))) return [name];
    const works = bases.length > 0 || WORK.some((key) => value.entries.has(key));
    return works || name.startsWith('.') ? [] : [name];
  });
}

function textsOf(node: Node | undefined): string[] {
  if (node?.kind === 'list') return node.items.flatMap((item) => textsOf(item));
  return node?.kind === 'scalar' && typeof node.value === 'string' ? [node.value] : [];
}
