/**
 * Removes what a killed harness has left: its folder, and what ran or was mounted below it. The folder's name
 * identifies its owner by process id and start time, so another running harness keeps its own.
 */
import { mkdtempSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { execFile } from 'node:child_process';
import { readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';

const command = promisify(execFile);
/** Short: engines have sockets below it, and their paths are limited to 107 characters. */
const HOME = /(?:\/[^\s/,:=]+)*\/df-([0-9a-z]+)\.([0-9a-z]+)-[A-Za-z0-9]{6}(?![^\s/,:;"'])/g;
/** Programs that the harness starts; a person's program that reads its log is left alone. */
const PROGRAMS = /(^|\/)(dockerd|containerd[^/]*|docker[^/]*|temporal[^/]*|postgres|node|nsenter|setpriv)$/;
const BASE = 36;
const END_MS = 10_000;

/** A new folder of this process. */
export function makeHome(parent = tmpdir()): string {
  const owner = [process.pid, startOf(process.pid) ?? 0].map((one) => one.toString(BASE)).join('.');
  return mkdtempSync(join(realpathSync(parent), `df-${owner}-`));
}

/** Ends and removes what dead harnesses have left; returns their folders. */
export async function sweepDead(parent = tmpdir()): Promise<string[]> {
  const dead = [...deadHomes(parent)];
  for (const home of dead) {
    await endBelow(home);
    await unmountBelow(home);
    await rm(home, { recursive: true, force: true, maxRetries: 5 });
  }
  return dead;
}

/** Includes those whose folder is gone or elsewhere, found through mounts and processes. */
function deadHomes(parent: string): Set<string> {
  const texts = [readText('/proc/self/mounts')];
  for (const folder of new Set([parent, dirname(parent), '/tmp']))
    texts.push(...namesIn(folder).map((name) => join(folder, name)));
  for (const pid of pids()) texts.push(...traces(pid));
  const found = new Set<string>();
  for (const text of texts)
    for (const [home, pid = '', started = ''] of text.matchAll(HOME))
      if (startOf(Number.parseInt(pid, BASE)) !== Number.parseInt(started, BASE)) found.add(home);
  return found;
}

/**
 * Text that shows where a process works: its command, davit's home, and for a container the layers of its
 * root.
 */
function traces(pid: number): string[] {
  const [program = '', ...args] = readText(`/proc/${pid}/cmdline`).split('\0');
  const environment = readText(`/proc/${pid}/environ`).split('\0');
  const mounts = readText(`/proc/${pid}/mountinfo`).split('\n');
  return [
    ...(PROGRAMS.test(program) ? args : []),
    ...environment.filter((one) => one.startsWith('DAVIT_HOME=')),
    ...mounts.filter((line) => line.split(' ')[4] === '/'),
  ];
}

async function endBelow(home: string): Promise<void> {
  const end = performance.now() + END_MS;
  for (;;) {
    const left = pids().filter(
      (pid) => pid !== process.pid && traces(pid).some((text) => text.includes(home)),
    );
    if (left.length === 0) return;
    if (performance.now() > end) throw new Error(`processes ${left.join(', ')} of ${home} do not end`);
    for (const pid of left)
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // it has just ended
      }
    await delay(50);
  }
}

/** The innermost first. */
export async function unmountBelow(folder: string): Promise<void> {
  const mounts = (await readFile('/proc/self/mounts', 'utf8'))
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '');
  for (const mount of mounts.filter((one) => one.startsWith(`${folder}/`)).reverse())
    await command('umount', ['-l', mount]).catch(() => undefined); // already unmounted
}

/** Ticks since boot (proc(5), stat, field 22); undefined: there is none. */
function startOf(pid: number): number | undefined {
  const stat = readText(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return stat === '' || fields[0] === 'Z' ? undefined : Number(fields[19]);
}
const pids = (): number[] =>
  namesIn('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // it does not exist
  }
}
function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // the process has ended
  }
}
