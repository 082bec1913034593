/**
 * A machine with OpenSSH's own server, in a network namespace with a loopback of its own, at the end of a cable. Its
 * engine is this machine's, by its socket. Root only.
 */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';

const command = promisify(execFile);
const READY_MS = 20_000;
/** Addresses for documentation, which nothing real has; other processes take other ones. */
const NET = (process.pid % 64) * 4;
const NEAR = `198.51.100.${NET + 1}`;
const FAR = `198.51.100.${NET + 2}`;
const PORT = 22;

export interface SshMachine {
  /** For `dockerEngine`. */
  address: string;
  knownHosts: string;
  /** For SSH_AUTH_SOCK. */
  agent: string;
  /** What answers on a port of its loopback; undefined: nothing. */
  get(port: number): Promise<string | undefined>;
  /** A program there. */
  start(program: string, ...args: string[]): ChildProcess;
  /** Restarts the server with more lines in its configuration; connections break. */
  configure(...lines: string[]): Promise<void>;
  /** Nothing passes, and nobody is told. */
  cable(is: 'up' | 'down'): Promise<void>;
  stop(): Promise<void>;
}

/** `sshd`: path of the program. */
export async function startSshMachine(sshd: string): Promise<SshMachine> {
  const folder = await mkdtemp(join(tmpdir(), 'davit-test-ssh-'));
  const name = `dv${process.pid}`;
  const space = spawn('setpriv', ['--pdeathsig', 'KILL', 'unshare', '--net', 'sleep', 'infinity'], {
    stdio: 'ignore',
  });
  let server: ChildProcess | undefined;
  const inside = (...args: string[]): string[] => ['-t', String(space.pid), '-n', ...args];
  const start = (...args: string[]): ChildProcess =>
    spawn('setpriv', ['--pdeathsig', 'KILL', 'nsenter', ...inside(...args)], { stdio: 'ignore' });
  const at = (file: string): string => join(folder, file);
  await ownNamespace(space);
  const ip = (...args: string[]): Promise<unknown> => command('ip', args);
  await ip('link', 'add', name, 'type', 'veth', 'peer', 'name', 'cable', 'netns', String(space.pid));
  await ip('address', 'add', `${NEAR}/30`, 'dev', name);
  await ip('link', 'set', name, 'up');
  for (const args of [
    ['address', 'add', `${FAR}/30`, 'dev', 'cable'],
    ['link', 'set', 'cable', 'up'],
    ['link', 'set', 'lo', 'up'],
  ])
    await command('nsenter', inside('ip', ...args));
  for (const key of ['host', 'own'])
    await command('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', at(key)]);
  const agent = spawn('setpriv', ['--pdeathsig', 'KILL', 'ssh-agent', '-D', '-a', at('agent')], {
    stdio: 'ignore',
  });
  await until(async () => {
    await command('ssh-add', ['-q', at('own')], { env: { ...process.env, SSH_AUTH_SOCK: at('agent') } });
  });
  const [type, key] = (await readFile(at('host.pub'), 'utf8')).split(' ');
  await writeFile(at('known'), `${FAR} ${type} ${key}\n`);
  await mkdir('/run/sshd', { recursive: true, mode: 0o755 });
  const end = async (): Promise<void> => {
    if (!server) return;
    const children = await command('pgrep', ['-P', String(server.pid)]).catch(() => ({ stdout: '' })); // it has none
    server.kill('SIGKILL');
    await once(server, 'exit');
    for (const pid of children.stdout.split('\n'))
      if (pid !== '') await command('kill', ['-KILL', pid]).catch(() => undefined); // it has ended
  };
  const configure = async (...lines: string[]): Promise<void> => {
    await end();
    const own = ['StrictModes no', 'UsePAM no', 'UseDNS no', 'PasswordAuthentication no', 'PidFile none'];
    const paths = [
      `ListenAddress ${FAR}:${PORT}`,
      `HostKey ${at('host')}`,
      `AuthorizedKeysFile ${at('own.pub')}`,
    ];
    await writeFile(at('config'), [...own, ...paths, ...lines, ''].join('\n'));
    server = start(sshd, '-D', '-f', at('config'));
    await until(() =>
      command('ssh-keyscan', ['-T', '1', FAR]).then(({ stdout }) => {
        if (stdout === '') throw new Error('no ssh server');
      }),
    );
  };
  await configure();
  return {
    address: `ssh://root@${FAR}`,
    knownHosts: at('known'),
    agent: at('agent'),
    start,
    configure,
    async get(port) {
      const script = `fetch('http://127.0.0.1:${port}/v2/',{signal:AbortSignal.timeout(3000)}).then((r)=>r.text()).then((t)=>process.stdout.write(t))`;
      const ask = command('nsenter', inside(process.execPath, '-e', script));
      return ask.then(
        ({ stdout }) => stdout,
        () => undefined,
      ); // nothing answers
    },
    async cable(is) {
      await ip('link', 'set', name, is);
    },
    async stop() {
      await end();
      agent.kill('SIGKILL');
      space.kill('SIGKILL');
      await once(space, 'exit');
      await ip('link', 'delete', name).catch(() => undefined); // it went with the namespace
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function until(work: () => Promise<unknown>): Promise<void> {
  for (const end = performance.now() + READY_MS; ; await delay(50))
    try {
      await work();
      return;
    } catch (error) {
      if (performance.now() > end) throw error;
    }
}

async function ownNamespace(space: ChildProcess): Promise<void> {
  const own = await readlink('/proc/self/ns/net');
  await until(async () => {
    const [theirs, line] = await Promise.all([
      readlink(`/proc/${space.pid}/ns/net`),
      readFile(`/proc/${space.pid}/cmdline`, 'utf8'),
    ]);
    if (theirs === own || !line.startsWith('sleep')) throw new Error('No namespace: is this root?');
  });
}
