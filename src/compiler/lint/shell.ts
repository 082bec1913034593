/** The lines of scripts, for linting. Pure. */
import type { Node, ScalarNode } from '../yaml/nodes.ts';
import type { JobConfig } from '../job-config.ts';

const SCRIPTS = ['before_script', 'script', 'after_script'] as const;

/** Every text of a job's scripts, including hooks. */
export function scriptTexts(job: JobConfig): ScalarNode[] {
  const hooks = job.entries.get('hooks')?.value;
  const nodes = [...SCRIPTS.map((key) => job.entries.get(key)?.value), hooks];
  return nodes.flatMap((node) => (node ? scalars(node) : []));
}

/** All texts below a node. */
export function scalars(node: Node): ScalarNode[] {
  if (node.kind === 'scalar') return [node];
  if (node.kind === 'list') return node.items.flatMap(scalars);
  return [...node.entries.values()].flatMap((entry) => scalars(entry.value));
}

const indentOf = (line: string): number => line.length - line.trimStart().length;
const words = (text: string): string => text.split(/\s+/).filter(Boolean).join(' ');

/**
 * The written lines of a multi-line scalar, including blank ones, without their common indentation. Undefined
 * for a scalar on a single line, and if the lines found here are not the whole text.
 */
export function writtenLines(node: ScalarNode): string[] | undefined {
  const { text } = node.source;
  if (node.style === 'quoted' || (node.style === 'plain' && text.startsWith(node.text, node.offset)))
    return undefined;
  const start = text.lastIndexOf('\n', node.offset - 1) + 1;
  const lines = text.slice(start, start + 20_000).split('\n');
  const first = lines[0] ?? '';
  const own = text.slice(node.offset, start + first.length);
  const outer = first.trim() === own.trim() ? indentOf(first) - 1 : indentOf(first);
  const body: string[] = [];
  for (const line of lines.slice(1)) {
    if (line.trim() !== '' && indentOf(line) <= outer) break;
    body.push(line);
  }
  while (body.at(-1)?.trim() === '') body.pop();
  const least = Math.min(...body.filter((line) => line.trim() !== '').map(indentOf));
  const shown = body.map((line) => line.slice(least));
  const all = node.style === 'plain' ? [own, ...shown] : shown;
  return words(all.join(' ')) === words(node.text) ? all : undefined;
}
