import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { readWorkersFile } from '../../../src/local/setup/workers-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'davit-workers-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const path = join(folder, 'workers');
const hash = 'a'.repeat(64);

test('a line is a machine', async () => {
  writeFileSync(path, `worker-arm32 ${hash}\n\nboard.2 ${'b'.repeat(64)}\n`);
  expect(await readWorkersFile(path)).toEqual([
    { name: 'worker-arm32', token_sha256: hash, forks: true, protected_only: false },
    { name: 'board.2', token_sha256: 'b'.repeat(64), forks: true, protected_only: false },
  ]);
});
test('any other line is refused by its number, and not shown: it may be a token', async () => {
  writeFileSync(path, `a ${hash}\nmy-token-0123456789\n`);
  const refused = await readWorkersFile(path).catch((error: unknown) => String(error));
  expect(refused).toContain('Line 2');
  expect(refused).not.toContain('my-token');
});
test('a missing file is refused', async () => {
  await expect(readWorkersFile(join(folder, 'none'))).rejects.toMatchObject({ code: 'installation/invalid' });
});
