/**
 * Temporary folders of this process, `davit-KIND-PID.START.SPACE-XXXXXX`, and removal of those that dead
 * processes left. Not its role: their content, and temporary files beside a file that is replaced (`Scratch`,
 * `doctor/fix.ts`). Invariants:
 *  TEMP-1 A folder's name identifies its owner: process id, start time of the process, and the PID namespace
 *         of the id. So the folder of a killed process is recognized at once, and never by its age or by a
 *         process id that was reused.
 *  TEMP-2 Only folders of this user are touched; links are not followed.
 *  TEMP-3 A process that exits by itself leaves none, even if it exits in the middle of something.
 */
import { readFileSync, readlinkSync, rmSync } from 'node:fs';
import { lstat, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DavitError } from '../errors.ts';
import { namesIn } from './names-in.ts';

const NAME = /^davit-([a-z]+)-([0-9a-z]+)\.([0-9a-z]+)\.([0-9a-z]+)-[A-Za-z0-9]{6}$/;
/** The names of davit 0.1: their owner is unknown. */
const EARLIER = /^davit-(git|helper|source)-[A-Za-z0-9]{6}$/;
/** For folders of another PID namespace (a container that shares the folder) or of an earlier version. */
const DAY_MS = 24 * 3_600_000;
/** A tunnel lives as long as its worker, so its age says nothing. */
const LASTING = 'ssh';
const BASE = 36;

const mine = new Set<string>();
let listening = false;

/**
 * A new folder, mode 0700, in `parent` (by default the system's temporary folder). Rejects with `local/temp` where that
 * cannot be written to, and with the system's error otherwise.
 */
export async function tempFolder(kind: string, parent: string = tmpdir()): Promise<string> {
  if (!listening) process.once('exit', removeMine);
  listening = true;
  const owner = [process.pid, startOf(process.pid) ?? 0, space()].map((one) => one.toString(BASE)).join('.');
  const folder = await mkdtemp(join(parent, `davit-${kind}-${owner}-`)).catch((cause: unknown) => {
    throw isUnusable(cause) ? unusable(parent, cause) : cause;
  });
  mine.add(folder);
  return folder;
}

const isUnusable = (cause: unknown): cause is Error =>
  cause instanceof Error &&
  'code' in cause &&
  /^(?:ENOENT|ENOTDIR|EACCES|EPERM|EROFS)$/.test(String(cause.code));

const unusable = (parent: string, cause: Error): DavitError =>
  new DavitError('local/temp', `The folder ${parent} for temporary files cannot be used: ${cause.message}.`, {
    cause,
  });

export async function removeTempFolder(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  mine.delete(folder);
}

/** Paths of folders in `parent` whose process has ended. */
export async function deadFolders(parent: string = tmpdir()): Promise<string[]> {
  const found: string[] = [];
  for (const name of await namesIn(parent)) {
    const path = join(parent, name);
    if ((NAME.test(name) || EARLIER.test(name)) && (await isDead(path, name))) found.push(path);
  }
  return found;
}

/**
 * Removes them; returns how many. Never rejects: the next process that sweeps retries what could not be
 * removed.
 */
export async function sweepFolders(parent: string = tmpdir()): Promise<number> {
  try {
    const dead = await deadFolders(parent);
    const ends = await Promise.allSettled(dead.map((path) => rm(path, { recursive: true, force: true })));
    return ends.filter((end) => end.status === 'fulfilled').length;
  } catch {
    return 0; // the folder cannot be read: creating a folder there reports that
  }
}

async function isDead(path: string, name: string): Promise<boolean> {
  let old: boolean;
  try {
    const known = await lstat(path);
    if (!known.isDirectory() || known.uid !== process.getuid?.()) return false;
    old = Date.now() - known.mtimeMs > DAY_MS;
  } catch {
    return false; // another process removed it first
  }
  const [, kind, pid = '', start = '', where = ''] = NAME.exec(name) ?? [];
  if (kind === undefined) return old;
  if (Number.parseInt(where, BASE) !== space()) return kind !== LASTING && old;
  const now = startOf(Number.parseInt(pid, BASE));
  return now === undefined || (now !== 0 && now !== Number.parseInt(start, BASE));
}

/**
 * When a process was started (ticks since boot; proc(5), stat, field 22), 0 if the system does not provide
 * it, undefined if it has ended.
 */
function startOf(pid: number): number | undefined {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it exists and belongs to another user.
    if (!(error instanceof Error && 'code' in error && error.code === 'EPERM')) return undefined;
  }
  if (process.platform !== 'linux') return 0;
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name of the program is in parentheses and may contain anything.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? undefined : Number(fields[19]);
  } catch {
    return undefined; // it has just ended
  }
}

/** The PID namespace: process ids of two containers are unrelated. */
function space(): number {
  try {
    return Number(/\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0] ?? 0);
  } catch {
    return 0; // this system has no PID namespaces
  }
}

function removeMine(): void {
  for (const folder of mine) {
    try {
      rmSync(folder, { recursive: true, force: true });
    } catch {
      // The next process that sweeps removes it.
    }
  }
}
