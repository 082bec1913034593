/** Small files of `HOME`, written atomically. */
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Undefined if the file is missing or is not JSON: the content of these files can be determined again. */
export async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch {
    return undefined;
  }
}

export async function writeJson(path: string, value: unknown): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await replaceFile(path, `${JSON.stringify(value, undefined, 2)}\n`, 0o600);
}

/** Readers see either the old or the new text. */
export async function replaceFile(path: string, text: string, mode: number): Promise<void> {
  // Two writers in one process must not use the same temporary file.
  const temporary = `${path}.${process.pid}.${randomBytes(4).toString('hex')}`;
  await writeFile(temporary, text, { mode, flag: 'wx' });
  // The mode of `writeFile` is reduced by the umask.
  await chmod(temporary, mode);
  await rename(temporary, path);
}

/** Undefined if there is no such file. */
export async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
