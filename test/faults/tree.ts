/**
 * A copy of davit's sources with one line changed. The process that runs from there bundles its workflows
 * again.
 */
import { cpSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../support/source.ts';

export interface Line {
  /** Below the root of the project. */
  file: string;
  /** Must occur exactly once; otherwise the mechanism has moved, and no copy is made. */
  from: string;
  to: string;
}
export const MAIN = join('src', 'cli', 'main.ts');
/** Changes the arguments of a process so that it runs from this tree. */
export const argumentsFrom =
  (tree: string) =>
  (args: readonly string[]): string[] =>
    args.map((arg) => (arg === join(ROOT, MAIN) ? join(tree, MAIN) : arg));

const PARTS = ['package.json', 'src', 'workflows', 'activities', 'workers'];

/** Returns the folder. */
export function changedTree(home: string, { file, from, to }: Line): string {
  const tree = mkdtempSync(join(home, 'tree-'));
  for (const part of PARTS) cpSync(join(ROOT, part), join(tree, part), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(tree, 'node_modules'));
  const text = readFileSync(join(tree, file), 'utf8');
  if (text.split(from).length !== 2) throw new Error(`${file} has not once: ${from}`);
  writeFileSync(
    join(tree, file),
    text.replace(from, () => to),
  );
  return tree;
}
