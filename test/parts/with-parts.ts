/**
 * Tests that need heavy parts. Without the part they are skipped, and their title names the command that
 * builds it.
 */
import { describe } from 'vitest';
import { findPart, type Part, PARTS_COMMAND } from './part.ts';

/**
 * `describe`, whose body gets the folders of the parts, in order. `root`: only root can do what the tests do.
 */
export async function describeWithParts(
  title: string,
  parts: readonly Part[],
  body: (folders: readonly string[]) => void,
  { root = false } = {},
): Promise<void> {
  const folders: string[] = [];
  const missing: string[] = [];
  for (const part of parts) {
    const folder = await findPart(part);
    if (folder === undefined) missing.push(part.name);
    else folders.push(folder);
  }
  const reasons = missing.length > 0 ? [`\`${PARTS_COMMAND}\` makes ${missing.join(' and ')}`] : [];
  if (root && process.getuid?.() !== 0) reasons.push('only root can run them');
  const suite = reasons.length === 0 ? describe : describe.skip;
  suite(reasons.length === 0 ? title : `${title} (skipped: ${reasons.join('; ')})`, () => {
    body(folders);
  });
}
