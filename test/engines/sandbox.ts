/**
 * A machine within the machine for one engine: a network namespace and a `/run` of its own, so that its
 * engine is *the* engine there (`/var/run/docker.sock`) and everything that is started inside finds it
 * unchanged. Root only.
 *
 *   BOX-1 Nothing of the machine's own engine is touched: no socket, no folder, no network, no firewall rule
 *         of Docker's.
 *   BOX-2 What is added to the machine (a link, three firewall rules) has this process's number in its name
 *         and goes with `stop`.
 */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { EngineKind } from './kinds.ts';
import { unmountBelow } from '../support/unmount.ts';

const READY_MS = 90_000;
const STOP_MS = 30_000;
const command = promisify(execFile);
/** Everything below is set up inside the new namespaces, before `sleep` replaces the shell. */
const INSIDE = 'ip link set lo up && mount -t tmpfs tmpfs /run && mkdir -p /run/lock && exec sleep infinity';

export interface Sandbox {
  /** Runs a command inside to its end; returns its exit code. */
  run(
    program: string,
    args: readonly string[],
    options?: { cwd?: string; env?: NodeJS.ProcessEnv },
  ): Promise<number>;
  stop(): Promise<void>;
}
export interface SandboxOptions {
  kind: EngineKind;
  /** Folders of the kind's parts. */
  programs: readonly string[];
  /** The engine's log is kept here. */
  log: string;
}

/** Resolves when the engine responds. Rejects with the end of its log. */
export async function startSandbox({ kind, programs, log }: SandboxOptions): Promise<Sandbox> {
  const folder = await mkdtemp(join(tmpdir(), 'davit-box-'));
  const space = spawn('setpriv', ['--pdeathsig', 'KILL', 'unshare', '--net', '--mount', 'sh', '-c', INSIDE], {
    stdio: 'ignore',
  });
  const own = kind.daemon(folder);
  const path = [...programs, process.env.PATH ?? ''].join(delimiter);
  // Entering a mount namespace changes the working directory: it is set again inside.
  const inside = (program: string, args: readonly string[], cwd = '/'): string[] => [
    '-t',
    String(space.pid),
    '-n',
    '-m',
    'env',
    `--chdir=${cwd}`,
    `PATH=${path}`,
    program,
    ...args,
  ];
  let daemon: ChildProcess | undefined;
  let unlink: (() => Promise<void>) | undefined;
  const stop = async (): Promise<void> => {
    const [program, ...args] = own.last ?? [];
    if (program) await command('nsenter', inside(program, args)).catch(() => undefined); // it is ended anyway
    if (daemon) await end(daemon);
    await unlink?.();
    space.kill('SIGKILL');
    await unmountBelow(folder);
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  };
  try {
    await apart(space);
    unlink = await outside(space.pid ?? 0);
    await mkdir(join(folder, 'data'));
    for (const [name, content] of Object.entries(own.files)) await writeFile(join(folder, name), content);
    const [program, ...args] = own.command;
    const file = openSync(log, 'a');
    daemon = spawn('setpriv', ['--pdeathsig', 'TERM', 'nsenter', ...inside(program, args)], {
      stdio: ['ignore', file, file],
    });
    closeSync(file);
    const run: Sandbox['run'] = (asked, rest, options = {}) =>
      new Promise((resolve, reject) => {
        const child = spawn('nsenter', inside(asked, rest, options.cwd), {
          env: options.env ?? process.env,
          stdio: 'inherit',
        });
        child.once('error', reject);
        child.once('close', (code) => resolve(code ?? 1));
      });
    const deadline = performance.now() + READY_MS;
    while (!(await responds(inside))) {
      if (daemon.exitCode !== null || performance.now() > deadline)
        throw new Error(`${kind.name} did not start:\n${(await readFile(log, 'utf8')).slice(-2_000)}`);
      await delay(200);
    }
    return { run, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

const responds = (inside: (program: string, args: readonly string[]) => string[]): Promise<boolean> =>
  command('nsenter', inside('docker', ['info'])).then(
    () => true,
    () => false, // not yet
  );

/** Nothing may start before both namespaces exist: it would run in the machine's. */
async function apart(space: ChildProcess): Promise<void> {
  const own = await readlink('/proc/self/ns/mnt');
  const deadline = performance.now() + READY_MS;
  for (;;) {
    const theirs = await readlink(`/proc/${space.pid}/ns/mnt`);
    const line = await readFile(`/proc/${space.pid}/cmdline`, 'utf8');
    if (theirs !== own && line.startsWith('sleep')) return;
    if (space.exitCode !== null || performance.now() > deadline)
      throw new Error('No namespaces: is this root?');
    await delay(20);
  }
}

/**
 * BOX-2. A link to the machine, which forwards for it: jobs inside reach package mirrors as jobs of the
 * machine do.
 */
async function outside(pid: number): Promise<() => Promise<void>> {
  const name = `dvb${pid}`.slice(0, 15);
  const third = pid % 250;
  const [here, there] = [`10.213.${third}.1`, `10.213.${third}.2`];
  const rules = [
    ['nat', 'POSTROUTING', '-s', `${there}/32`, '-j', 'MASQUERADE'],
    ['filter', 'FORWARD', '-i', name, '-j', 'ACCEPT'],
    ['filter', 'FORWARD', '-o', name, '-j', 'ACCEPT'],
  ];
  const rule = (action: '-I' | '-D', [table = '', chain = '', ...rest]: string[]): Promise<unknown> =>
    command('iptables', ['-w', '-t', table, action, chain, ...rest]);
  await command('ip', ['link', 'add', name, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', String(pid)]);
  await command('ip', ['address', 'add', `${here}/24`, 'dev', name]);
  await command('ip', ['link', 'set', name, 'up']);
  const inside = ['-t', String(pid), '-n', 'ip'];
  await command('nsenter', [...inside, 'address', 'add', `${there}/24`, 'dev', 'eth0']);
  await command('nsenter', [...inside, 'link', 'set', 'eth0', 'up']);
  await command('nsenter', [...inside, 'route', 'add', 'default', 'via', here]);
  for (const one of rules) await rule('-I', one);
  return async () => {
    for (const one of rules) await rule('-D', one).catch(() => undefined); // gone already
    await command('ip', ['link', 'delete', name]).catch(() => undefined); // went with its namespace
  };
}

async function end(daemon: ChildProcess): Promise<void> {
  if (daemon.exitCode !== null || daemon.signalCode !== null) return;
  const gone = once(daemon, 'exit');
  daemon.kill('SIGTERM');
  const late = setTimeout(() => daemon.kill('SIGKILL'), STOP_MS);
  await gone;
  clearTimeout(late);
}
