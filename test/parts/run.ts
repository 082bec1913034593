/**
 * `npm run test:parts [NAME…]`: builds or fetches the heavy parts that `npm test` uses, once, into the cache.
 * Ends with 1 when a part cannot be made; the tests that need it are then skipped by name.
 */
import { lineProgress } from '../../src/local/process/progress.ts';
import { ENGINE_PARTS, TEST_PARTS } from './index.ts';
import { ensurePart } from './part.ts';
import { messageOf } from '../../src/utils/message.ts';

const names = process.argv.slice(2);
const known = [...new Set([...TEST_PARTS, ...ENGINE_PARTS])];
const unknown = names.filter((name) => !known.some((part) => part.name === name));
if (unknown.length > 0) {
  process.stderr.write(
    `Unknown part: ${unknown.join(', ')}. Parts: ${known.map(({ name }) => name).join(', ')}\n`,
  );
  process.exit(2);
}
const progress = lineProgress(
  (line) => void process.stderr.write(`${line}\n`),
  process.stderr.isTTY === true,
);
let failed = 0;
for (const part of names.length > 0 ? known.filter(({ name }) => names.includes(name)) : TEST_PARTS)
  try {
    await progress.step(part.name, () => ensurePart(part, progress));
  } catch (error) {
    failed += 1;
    progress.note(`${part.name}: ${messageOf(error)}`);
  }
process.exitCode = failed > 0 ? 1 : 0;
