/**
 * A heavy part that some tests need and no package manager installs: it is built or fetched once into the
 * cache by `npm run test:parts`. Tests use the parts that exist and skip the rest by name.
 */
import { mkdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { readSettings, type Settings } from '../../src/config.ts';
import type { Progress } from '../../src/local/process/progress.ts';
import { removeTempFolder, tempFolder } from '../../src/adapters/temp.ts';

/** The command that a skipped test names. */
export const PARTS_COMMAND = 'npm run test:parts';

export interface MakePart {
  settings: Settings;
  /** An empty folder; its content afterwards is the part. */
  folder: string;
  progress: Progress;
}
export interface Part {
  /** With its version: names the folder in the cache, so another version is another part. */
  name: string;
  /** Files that must exist in the folder of a complete part. */
  files: readonly string[];
  /** Rejects with an Error that names what is missing. */
  make(options: MakePart): Promise<void>;
}

const folderOf = ({ name }: Part, settings: Settings): string => join(settings.cache, 'parts', name);

/** Its folder in the cache; undefined if it has not been built. */
export async function findPart(part: Part, settings = readSettings()): Promise<string | undefined> {
  const folder = folderOf(part, settings);
  for (const file of part.files)
    try {
      await stat(join(folder, file));
    } catch {
      return undefined; // it does not exist, which is the result
    }
  return folder;
}

/** Its folder; built if it is missing, whole or not at all. */
export async function ensurePart(part: Part, progress: Progress, settings = readSettings()): Promise<string> {
  const there = await findPart(part, settings);
  if (there !== undefined) return there;
  const target = folderOf(part, settings);
  await mkdir(join(target, '..'), { recursive: true });
  const folder = await tempFolder('part', settings.cache);
  try {
    await part.make({ settings, folder, progress });
    await rm(target, { recursive: true, force: true });
    await rename(folder, target);
  } finally {
    await removeTempFolder(folder);
  }
  return target;
}
