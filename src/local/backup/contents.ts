/**
 * Which files of davit's home a backup has, and in which order they are read while davit runs.
 *
 *  CONTENT-1 What is named by something else is read after it: blobs after the records that name them, layers after the
 *            tags. What is named was stored first, so it is there.
 *  CONTENT-2 The state of a log is read before its bytes: bytes behind the state are cut off when the log is opened.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { readIfThere } from '../process/files.ts';

/** Belongs to this machine or to running processes, or is made again. */
const LEFT_OUT = [
  /^(?:run\.json|up\.lock|installed\.json|registry\.yml|davit-backup\.json)$/,
  /^(?:log|tmp)\//,
  /^data\/scratch\//,
  // Half-written files of this and of Temporal; uploads to the registry.
  /\.new(?:\.|$)/,
  /^temporal-[^/]+\.db(?:-wal|-shm|-journal)?$/,
  /\/_uploads\//,
];
const IMAGES = /^registry\//;
/** CONTENT-1: later groups are named by earlier ones. */
const LATER = [/^registry\/docker\/registry\/v2\/blobs\//, /^data\/blobs\//];

export interface Contents {
  /** Paths below the home, with `/`, in the order in which they are read. */
  files: string[];
  /** The file of the embedded Temporal. */
  database?: string;
}

export async function contentsOf(home: string, options: { images: boolean }): Promise<Contents> {
  const all = await filesBelow(home, '');
  const databases = all.filter((name) => /^temporal-[^/]+\.db$/.test(name));
  const files = all.filter(
    (name) => !LEFT_OUT.some((one) => one.test(name)) && (options.images || !IMAGES.test(name)),
  );
  const [database] = databases;
  return { files: inOrder(files), ...(database !== undefined && { database }) };
}

/** Pure. */
export function inOrder(files: readonly string[]): string[] {
  const group = (name: string): number => 1 + LATER.findIndex((one) => one.test(name));
  const key = (name: string): string => name.replace(/\.state$/, '.!state');
  return files.toSorted((a, b) => group(a) - group(b) || (key(a) < key(b) ? -1 : 1));
}

/** Links are not followed: davit makes none. */
async function filesBelow(home: string, folder: string): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await entriesOf(join(home, folder))) {
    const name = folder === '' ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory()) found.push(...(await filesBelow(home, name)));
    else if (entry.isFile()) found.push(name);
  }
  return found;
}

async function entriesOf(folder: string) {
  try {
    return await readdir(folder, { withFileTypes: true });
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []; // removed meanwhile
    throw error;
  }
}

/** Digest that the name of a file promises: of a blob of the store or of the registry. Pure. */
export const promisedDigest = (name: string): string | undefined =>
  /^data\/blobs\/sha256\/[0-9a-f]{2}\/([0-9a-f]{64})$/.exec(name)?.[1] ??
  /^registry\/docker\/registry\/v2\/blobs\/sha256\/[0-9a-f]{2}\/([0-9a-f]{64})\/data$/.exec(name)?.[1];

export const installationOf = async (home: string): Promise<string | undefined> =>
  (await readIfThere(join(home, 'keys', 'installation-id')))?.trim();
