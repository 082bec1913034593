/**
 * An engine for a whole installation by docker compose, in its own network and mount namespaces: its socket
 * is at /var/run/docker.sock, and every port of the loopback is free. With `network` it reaches the outside
 * through slirp4netns, which changes nothing on the machine; without, it reaches only itself.
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
/** slirp4netns serves DNS there (slirp4netns(1)). */
const SLIRP_DNS = '10.0.2.3';

export class ComposeEngine {
  readonly #folder: string;
  readonly #children: ChildProcess[] = [];

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /**
   * `data`: its data-root, which is kept. Containers, networks and volumes in it are removed; images and
   * caches stay.
   */
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

  /** Ends with this process, however that ends. */
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

  /** Nothing may start before the namespaces exist: it would run in the machine's. */
  async #apart(space: ChildProcess): Promise<void> {
    for (const kind of ['net', 'mnt'])
      await this.#until('namespaces', async () => {
        const [mine, theirs] = await Promise.all([
          readlink(`/proc/self/ns/${kind}`),
          readlink(`/proc/${space.pid}/ns/${kind}`),
        ]);
        return mine !== theirs;
      });
    // The same process sets up the loopback afterwards.
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
    // The client must not use this user's settings and plugins.
    const env = {
      DOCKER_CONFIG: this.#folder,
      DOCKER_HOST: undefined,
      DOCKER_CONTEXT: undefined,
      ...options.env,
    };
    // A process in another mount namespace starts at its root.
    const there = ['sh', '-c', 'cd "$1" && shift && exec "$@"', 'sh', options.cwd ?? '/'];
    return runCommand('nsenter', [...this.#inside(), ...there, program, ...args], { ...options, env });
  }

  /** `docker ARGUMENTS`. Rejects if it fails. */
  async docker(...args: string[]): Promise<string> {
    const done = await this.run('docker', args);
    if (done.code !== 0) throw new Error(`docker ${args[0]}: ${outputTail(done)}`);
    return done.stdout.trim();
  }

  /** Removes what a previous installation left in the data-root. */
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
