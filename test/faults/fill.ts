/** Fills a disk of the harness, like a program other than davit. */
import { closeSync, openSync, rmSync, truncateSync, writeSync } from 'node:fs';
import { join } from 'node:path';

const NAME = 'filler-of-somebody-else';
export const fillerOf = (folder: string): string => join(folder, NAME);

/** Fills the folder's disk, except for a number of free bytes. */
export function fill(folder: string, leave = 0): void {
  empty(folder);
  const path = fillerOf(folder);
  const file = openSync(path, 'w');
  const block = Buffer.alloc(65_536, 1);
  let bytes = 0;
  try {
    for (;;) bytes += writeSync(file, block);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error;
  } finally {
    closeSync(file);
  }
  if (leave > 0) truncateSync(path, Math.max(bytes - leave, 0));
}
export const empty = (folder: string): void => rmSync(fillerOf(folder), { force: true });
