import { posix } from 'node:path';

/** A relative path without `.` and `..` steps; undefined if it would leave its root or is not a path. */
export function inside(name: string): string | undefined {
  if (name.includes('\0') || name.startsWith('/')) return undefined;
  const path = posix.normalize(name).replace(/\/+$/, '');
  if (path === '..' || path.startsWith('../')) return undefined;
  return path === '.' ? '' : path;
}
