/** A copy of davit's sources with one line changed. Workflows of it are bundled anew by the process that runs from there. */
import { cpSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../support/source.ts';

export interface Line {
  /** Below the root of the project. */
  file: string;
  /** Stands there once, or the copy is not made: then the mechanism has moved. */
  from: string;
  to: string;
}
const PARTS = ['package.json', 'src', 'workflows', 'activities', 'workers'];

/** Answers the folder. */
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
