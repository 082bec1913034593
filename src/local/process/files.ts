/** Small JSON files of `HOME`, written whole or not at all. */
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Undefined when the file is not there or holds no JSON: what stands in these files can be found out again. */
export async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch {
    return undefined;
  }
}

/** Readers see the old or the new text, never half of one. */
export async function writeJson(path: string, value: unknown): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  // Two writers of one process must not take each other's half.
  const half = `${path}.${process.pid}.${randomBytes(4).toString('hex')}`;
  await writeFile(half, `${JSON.stringify(value, undefined, 2)}\n`, { mode: 0o600 });
  await rename(half, path);
}
