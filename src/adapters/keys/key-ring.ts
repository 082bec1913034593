/**
 * The installation's keys, from a file with one key per line: the first one seals and signs, the others still open
 * and verify what was made before a rotation. The file is read again when it changes, so a rotation needs no restart.
 *
 * KEYS-1 A key never leaves the server's machine. What others get is derived from it, or is a public key.
 * KEYS-2 A file that becomes unreadable or empty changes nothing: what is known stays in use.
 */
import { hkdfSync, randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { DavitError } from '../../errors.ts';
import { sha256 } from '../../utils/sha256.ts';
import type { InstallationKey, KeyRing } from '../ports.ts';

const MIN_KEY_CHARS = 32;
const KEY_BYTES = 32;
const ID_CHARS = 8;
const PRIVATE_FILE = 0o600;
const PRIVATE_FOLDER = 0o700;

/** Creates the file with a new key if it is missing. Throws `installation/invalid` for a file without a key. */
export function fileKeyRing(path: string): KeyRing {
  if (stampOf(path) === undefined) createKeyFile(path);
  let stamp = stampOf(path);
  let keys = readKeys(path);
  const [first] = keys;
  if (!first)
    throw new DavitError(
      'installation/invalid',
      `${path} has no key of at least ${MIN_KEY_CHARS} characters.`,
    );
  const all = (): readonly InstallationKey[] => {
    const now = stampOf(path);
    if (now === stamp) return keys;
    const read = readKeys(path);
    stamp = now;
    if (read.length > 0) keys = read;
    return keys;
  };
  return {
    all,
    current: () => all()[0] ?? first,
    find: (id) => all().find((key) => key.id === id),
  };
}

/** Puts a new key before the others. Returns the number of keys that the file has now. */
export function rotateKeyFile(path: string): number {
  const lines = [newKey(), ...linesOf(path)];
  const temporary = `${path}.${process.pid}.${randomBytes(4).toString('hex')}`;
  try {
    writeFileSync(temporary, `${lines.join('\n')}\n`, { mode: PRIVATE_FILE, flag: 'wx' });
    renameSync(temporary, path);
  } finally {
    rmSync(temporary, { force: true });
  }
  return lines.length;
}

const newKey = (): string => randomBytes(KEY_BYTES).toString('hex');

function createKeyFile(path: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: PRIVATE_FOLDER });
  try {
    writeFileSync(path, `${newKey()}\n`, { mode: PRIVATE_FILE, flag: 'wx' });
  } catch (error) {
    // Another process was first: its key counts.
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  }
}

function linesOf(path: string): string[] {
  try {
    return readFileSync(path, 'utf8')
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line.length >= MIN_KEY_CHARS);
  } catch {
    return []; // KEYS-2; a missing key at the start is reported by the caller
  }
}

const readKeys = (path: string): InstallationKey[] =>
  linesOf(path).map((text) => ({
    id: sha256(`davit key ${text}`).slice(0, ID_CHARS),
    derive: (purpose) => Buffer.from(hkdfSync('sha256', text, 'davit', purpose, KEY_BYTES)),
  }));

function stampOf(path: string): string | undefined {
  try {
    const { mtimeMs, ctimeMs, size, ino } = statSync(path);
    return `${mtimeMs} ${ctimeMs} ${size} ${ino}`;
  } catch {
    return undefined; // there is none
  }
}
