/**
 * An engine for a whole installation by docker compose: in a network and a mount namespace of its own, where its socket lies at
 * /var/run/docker.sock and every port of the loopback is free. With `network` it reaches the outside through slirp4netns,
 * which changes nothing of the machine; without, it reaches nothing but itself.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { mkdir, mkdtemp, readlink, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { outputTail, runCommand, type CommandOptions, type Finished } from '../../src/local/process/exec.ts';

const READY_MS = 60_000;
const STOP_MS = 40_000;
const SOCKET = '/var/run/docker.sock';
/** slirp4netns answers DNS there (slirp4netns(1)). */
const SLIRP_DNS = '10.0.2.3';

export class ComposeEngine {
  readonly #folder: string;
  readonly #children: ChildProcess[] = [];

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** `data`: its data-root, which is kept. Containers, networks and volumes that are in it go; images and caches stay. */
  static async start(data: string, options: { network: boolean }): Promise<ComposeEngine> {
    const engine = new ComposeEngine(await mkdtemp(join(tmpdir(), 'davit-compose-engine-')));
    try {
      await engine.#start(data, options.network);
      await engine.clear();
      return engine;
    } catch (error) {
      await engine.stop();
      throw error;
    }
  }

  async #start(data: string, network: boolean): Promise<void> {
    const space = this.#spawn('unshare', [
      ...['--net', '--mount', '--propagation', 'private'],
      ...['sh', '-c', 'ip link set lo up && exec sleep infinity'],
    ]);
    await this.#apart(space);
    if (network) {
      this.#spawn('slirp4netns', ['--configure', '--disable-host-loopback', String(space.pid), 'tap0']);
      await this.#until('a network', async () =>
        /inet /.test((await this.run('ip', ['addr', 'show', 'tap0'])).stdout),
      );
    }
    await mkdir(data, { recursive: true });
    const own = join(this.#folder, 'docker.sock');
    const dns = network ? ['--dns', SLIRP_DNS] : [];
    const args = [
      '-H',
      `unix://${own}`,
      '--data-root',
      data,
      '--exec-root',
      join(this.#folder, 'run'),
      ...dns,
    ];
    this.#spawn('nsenter', [...this.#inside(), 'dockerd', ...args, '-p', join(this.#folder, 'pid')]);
    await this.#until(
      'an engine',
      async () => (await this.run('docker', ['-H', `unix://${own}`, 'info'])).code === 0,
    );
    const mounted = await this.run('mount', ['--bind', own, SOCKET]);
    if (mounted.code !== 0) throw new Error(`${SOCKET} of its own: ${outputTail(mounted)}`);
  }

  /** Ends with this process, whatever happens to it. */
  #spawn(program: string, args: string[]): ChildProcess {
    const log = openSync(join(this.#folder, 'log'), 'a');
    const child = spawn('setpriv', ['--pdeathsig', 'TERM', program, ...args], {
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    this.#children.push(child);
    return child;
  }

  #inside(): string[] {
    return ['-t', String(this.#children[0]?.pid), '-n', '-m'];
  }

  /** Nothing may be started before the namespaces are its own: it would be the machine's. */
  async #apart(space: ChildProcess): Promise<void> {
    for (const kind of ['net', 'mnt'])
      await this.#until('namespaces', async () => {
        const [mine, theirs] = await Promise.all([
          readlink(`/proc/self/ns/${kind}`),
          readlink(`/proc/${space.pid}/ns/${kind}`),
        ]);
        return mine !== theirs;
      });
    // The loopback is set up by the same process, after it.
    await this.#until('a loopback', async () =>
      /LOOPBACK,UP/.test((await this.run('ip', ['link', 'show', 'lo'])).stdout),
    );
  }

  async #until(what: string, there: () => Promise<boolean>): Promise<void> {
    const end = performance.now() + READY_MS;
    while (!(await there())) {
      const dead = this.#children.find((one) => one.exitCode !== null || one.signalCode !== null);
      if (dead || performance.now() > end)
        throw new Error(
          `There is not ${what}: ${(await runCommand('tail', ['-n', '5', join(this.#folder, 'log')])).stdout}`,
        );
      await pause(50);
    }
  }

  /** Runs a program in its namespaces. Never rejects. */
  run(program: string, args: string[], options: CommandOptions = {}): Promise<Finished> {
    // A client's settings and plugins of this user are none of its business.
    const env = {
      DOCKER_CONFIG: this.#folder,
      DOCKER_HOST: undefined,
      DOCKER_CONTEXT: undefined,
      ...options.env,
    };
    // Another mount namespace begins at its root.
    const there = ['sh', '-c', 'cd "$1" && shift && exec "$@"', 'sh', options.cwd ?? '/'];
    return runCommand('nsenter', [...this.#inside(), ...there, program, ...args], { ...options, env });
  }

  /** `docker ARGUMENTS`. Rejects when it fails. */
  async docker(...args: string[]): Promise<string> {
    const done = await this.run('docker', args);
    if (done.code !== 0) throw new Error(`docker ${args[0]}: ${outputTail(done)}`);
    return done.stdout.trim();
  }

  /** Removes what a former installation has left in the data-root. */
  async clear(): Promise<void> {
    const each = async (list: string[], remove: string[]): Promise<void> => {
      const names = (await this.docker(...list)).split('\n').filter((name) => name !== '');
      if (names.length > 0) await this.docker(...remove, ...names);
    };
    await each(['ps', '-aq'], ['rm', '-f', '-v']);
    await each(['volume', 'ls', '-q'], ['volume', 'rm', '-f']);
    await this.docker('network', 'prune', '-f');
  }

  async stop(): Promise<void> {
    if (this.#children.length > 1) await this.clear().catch(() => undefined); // it may not be up
    for (const child of this.#children.toReversed()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const gone = once(child, 'exit');
      child.kill('SIGTERM');
      const late = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
      await gone;
      clearTimeout(late);
    }
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 5 });
  }
}
