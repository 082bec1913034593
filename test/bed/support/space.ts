/**
 * Namespaces of one machine of the bed: network, mounts, processes and host name of its own. Root only.
 *
 *   SPACE-1 Everything that is started in a space ends with it: the kernel ends all of its processes with the first
 *           one, and that one ends with this process, however this one ends. Mounts, links and rules of a firewall go
 *           with the namespaces, so nothing is left of a test that was killed.
 *   SPACE-2 A space has `/etc`, `/run` and a home of root of its own, and its folder is `/media` there, so that paths are
 *           short: sockets have at most 107 characters. Everything else is the machine's.
 */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';

const command = promisify(execFile);
const READY_MS = 30_000;
const MAX_OUTPUT = 64 * 1_024 * 1_024;

/** Where the folder of a space is inside. */
export const INSIDE = '/media';

export interface Space {
  name: string;
  /** Outside. */
  folder: string;
  /** The number of its first process outside. */
  pid: number;
  /** Runs a program to its end; resolves with its output, rejects with it where the exit code is not 0. */
  run(program: string, ...args: string[]): Promise<string>;
  /** A program that runs on. Its output goes to the file `NAME.log` of the folder. */
  start(name: string, words: readonly string[], env?: NodeJS.ProcessEnv): Promise<Started>;
  /** Words that run a program in the space. */
  enter(program: string, ...args: string[]): [string, ...string[]];
  end(): Promise<void>;
}
export interface Started {
  /** Inside. */
  pid: number;
  /** Its output so far. */
  text(): Promise<string>;
  ended: Promise<void>;
  isOver(): boolean;
  signal(signal: NodeJS.Signals): Promise<void>;
  /** SIGTERM, then SIGKILL after the time. */
  stop(afterMs?: number): Promise<void>;
}

export interface SpaceOptions {
  name: string;
  folder: string;
  /** Run in it first. */
  setUp?: readonly string[];
}

export async function startSpace({ name, folder, setUp = [] }: SpaceOptions): Promise<Space> {
  await mkdir(join(folder, 'tmp'), { recursive: true });
  const script = [...beginning(name, folder), ...setUp, `echo >${INSIDE}/ready`, ...REAP].join('\n');
  const holder = spawn(
    'setpriv',
    [
      ...['--pdeathsig', 'KILL', 'unshare', '--pid', '--fork', '--kill-child', '--mount-proc'],
      ...['--net', '--mount', '--uts', 'sh', '-ec', script],
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let words = '';
  holder.stderr.setEncoding('utf8').on('data', (text: string) => {
    words += text;
  });
  const gone = once(holder, 'exit');
  const pid = await firstProcess(holder, join(folder, 'ready'), () => words);
  const enter = (program: string, ...args: string[]): [string, ...string[]] => [
    ...(['nsenter', '-t', String(pid), '-n', '-m', '-u', '-p'] as const),
    ...['env', `TMPDIR=${INSIDE}/tmp`, `HOME=${INSIDE}/home`, program, ...args],
  ];
  const run = async (program: string, ...args: string[]): Promise<string> => {
    const [first, ...rest] = enter(program, ...args);
    return (await command(first, rest, { maxBuffer: MAX_OUTPUT })).stdout;
  };
  return {
    name,
    folder,
    pid,
    run,
    enter,
    start: (title, given, env) => started({ folder, run, enter }, { title, given, env }),
    async end() {
      holder.kill('SIGKILL');
      await gone;
    },
  };
}

/** SPACE-2 */
const beginning = (name: string, folder: string): string[] => [
  `hostname ${name}`,
  'ip link set lo up',
  `mount --bind ${folder} ${INSIDE}`,
  'mount -t tmpfs tmpfs /run',
  'mkdir -p /run/lock /run/sshd',
  // An overlay cannot lie on another overlay, as which a container has its root: its files are in memory.
  'mount -t tmpfs tmpfs /mnt',
  'mkdir /mnt/upper /mnt/work',
  'mount -t overlay overlay -o lowerdir=/etc,upperdir=/mnt/upper,workdir=/mnt/work /etc',
  'umount -l /mnt',
  ': >/etc/resolv.conf',
  // OpenSSH takes the home folder from there.
  `sed -i -E 's#^(root:[^:]*:0:0:[^:]*):[^:]*:#\\1:${INSIDE}/home:#' /etc/passwd`,
  `mkdir -p -m 700 ${INSIDE}/home/.ssh`,
  'mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc 2>/dev/null || true',
];
/** The first process of a space takes the place of the parents that orphans had. */
const REAP = ['while :; do sleep 1000000 & wait $!; done'];

async function firstProcess(holder: ChildProcess, ready: string, words: () => string): Promise<number> {
  const deadline = performance.now() + READY_MS;
  for (;;) {
    if (await isThere(ready)) break;
    if (holder.exitCode !== null || performance.now() > deadline)
      throw new Error(`No namespaces (is this root?): ${words()}`);
    await delay(20);
  }
  const children = await readFile(`/proc/${holder.pid}/task/${holder.pid}/children`, 'utf8');
  return Number(children.trim().split(' ')[0]);
}

const isThere = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false, // not yet
  );

/** Its shell says its own number, which is that of the program after it. */
async function started(
  { folder, run, enter }: Pick<Space, 'folder' | 'run' | 'enter'>,
  { title, given, env }: { title: string; given: readonly string[]; env?: NodeJS.ProcessEnv | undefined },
): Promise<Started> {
  const [log, note] = [join(folder, `${title}.log`), join(INSIDE, `${title}.pid`)];
  const script = `exec >>${INSIDE}/${title}.log 2>&1; echo $$ >${note}.new; mv ${note}.new ${note}; exec "$@"`;
  await run('rm', '-f', note);
  const [first, ...rest] = enter('sh', '-c', script, 'sh', ...given);
  const child = spawn(first, rest, { stdio: 'ignore', env: { ...process.env, ...env } });
  let over = false;
  const ended = once(child, 'exit').then(() => {
    over = true;
  });
  const outside = join(folder, `${title}.pid`);
  while (!(await isThere(outside)) && !over) await delay(10);
  const pid = Number(await readFile(outside, 'utf8'));
  const signal = async (name: NodeJS.Signals): Promise<void> => {
    if (!over) await run('kill', `-${name.slice('SIG'.length)}`, String(pid)).catch(() => undefined); // it has just ended
  };
  return {
    pid,
    text: () => readFile(log, 'utf8').catch(() => ''),
    ended,
    isOver: () => over,
    signal,
    async stop(afterMs = 30_000) {
      await signal('SIGTERM');
      const late = setTimeout(() => void signal('SIGKILL'), afterMs);
      await ended;
      clearTimeout(late);
    },
  };
}
