/** Fills a disk of the harness, like a program other than davit. */
import { closeSync, openSync, rmSync, truncateSync, writeSync } from 'node:fs';
import { join } from 'node:path';

const NAME = 'filler-of-somebody-else';
export const fillerOf = (folder: string): string => join(folder, NAME);

/** Fills the folder's disk, except for a number of free bytes. */
export function fill(folder: string, leave = 0): void {
  empty(folder);
  const path = fillerOf(folder);
  const bytes = appendUntilFull(path, 65_536);
  if (leave > 0) truncateSync(path, Math.max(bytes - leave, 0));
}
/** Returns the bytes that were written. */
function appendUntilFull(path: string, blockBytes: number): number {
  const file = openSync(path, 'a');
  const block = Buffer.alloc(blockBytes, 1);
  let bytes = 0;
  try {
    for (;;) bytes += writeSync(file, block);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error;
    return bytes;
  } finally {
    closeSync(file);
  }
}
/** Takes each byte that becomes free, such as what the engine itself gives back, until it is stopped. */
export function keepFull(folder: string): () => void {
  const timer = setInterval(() => appendUntilFull(fillerOf(folder), 4_096), 50);
  return () => clearInterval(timer);
}
export const empty = (folder: string): void => rmSync(fillerOf(folder), { force: true });
