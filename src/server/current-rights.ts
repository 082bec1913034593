/**
 * Users and rights of the current installation file. The file is checked before each request and read again
 * after a change, so that a revoked right is gone without a restart. A file that cannot be read, or has
 * mistakes, changes nothing, and the log reports it: a typing mistake must not lock everybody out, nor let
 * anybody in.
 */
import { readFileSync, statSync } from 'node:fs';
import { parseInstallation } from '../compiler/installation-file.ts';
import type { Installation } from '../installation.ts';

/** What may change without a restart. */
export type Rights = Pick<Installation, 'users' | 'projects' | 'workers'>;

export function currentRights(
  path: string | undefined,
  started: Rights,
  complain: (text: string) => void,
): () => Rights {
  if (path === undefined) return () => started;
  let rights = started;
  let seen = stampOf(path);
  return () => {
    const stamp = stampOf(path);
    if (stamp === seen) return rights;
    seen = stamp;
    const text = textOf(path);
    const parsed = text === undefined ? undefined : parseInstallation(text, path);
    if (parsed?.ok) {
      const { users, projects, workers } = parsed.value;
      rights = { users, projects, workers };
    } else
      complain('the installation file was changed and cannot be read; users and rights stay as they were');
    return rights;
  };
}

function stampOf(path: string): string {
  try {
    const { mtimeMs, ctimeMs, size, ino } = statSync(path);
    return `${mtimeMs} ${ctimeMs} ${size} ${ino}`;
  } catch {
    return 'gone'; // reading it fails in the same way, and is decisive
  }
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined; // the caller reports it, and nothing changes
  }
}
