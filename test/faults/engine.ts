/**
 * The world's own engine, in a network namespace that outlives it, so that it can be killed and restarted
 * without changes to the machine. Services at ports of the machine's loopback are forwarded into it at the
 * same ports.
 */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { mkdir, readFile, readlink, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { dockerEngine } from '../../src/adapters/docker/index.ts';
import type { Engine } from '../../src/adapters/ports.ts';
import { HELPER_IMAGE } from '../support/engine.ts';
import { unmountBelow } from './dead.ts';

const READY_MS = 90_000;
const STOP_MS = 30_000;
const UP_TRIES = 4;
const command = promisify(execFile);

export interface EngineOptions {
  swarm: boolean;
  liveRestore?: boolean;
  /** Its data is on a separate disk of this size, in the format of mount(8). */
  disk?: string;
}

export class OwnEngine {
  readonly name: string;
  readonly folder: string;
  readonly #options: EngineOptions;
  #space: ChildProcess | undefined;
  #daemon: ChildProcess | undefined;
  readonly #forwards: ChildProcess[] = [];
  #engine: Engine | undefined;

  private constructor(name: string, folder: string, options: EngineOptions) {
    this.name = name;
    this.folder = folder;
    this.#options = options;
  }

  static async start(name: string, folder: string, options: EngineOptions): Promise<OwnEngine> {
    await mkdir(folder, { recursive: true });
    const own = new OwnEngine(name, folder, options);
    if (options.disk !== undefined) {
      await mkdir(own.data);
      await command('mount', ['-t', 'tmpfs', '-o', `size=${options.disk}`, 'davit-faults', own.data]);
    }
    own.#space = spawn(
      'setpriv',
      ['--pdeathsig', 'KILL', 'unshare', '--net', 'sh', '-c', 'ip link set lo up && exec sleep infinity'],
      { stdio: 'ignore' },
    );
    try {
      await own.#apart();
      await own.up();
      await command('sh', ['-c', `docker save ${HELPER_IMAGE} | docker -H ${own.address} load`]);
      if (options.swarm) await own.docker('swarm', 'init', '--advertise-addr', '127.0.0.1');
      return own;
    } catch (error) {
      await own.stop();
      throw error;
    }
  }

  /** Nothing may start before the namespace exists: it would run in the machine's. */
  async #apart(): Promise<void> {
    const mine = await readlink('/proc/self/ns/net');
    const end = performance.now() + READY_MS;
    for (;;) {
      const theirs = await readlink(`/proc/${this.#space?.pid}/ns/net`);
      const command = await readFile(`/proc/${this.#space?.pid}/cmdline`, 'utf8');
      if (theirs !== mine && command.startsWith('sleep')) return;
      if (performance.now() > end) throw new Error(`${this.name} has no network namespace of its own`);
      await delay(20);
    }
  }

  get socket(): string {
    return join(this.folder, 'docker.sock');
  }
  /** The daemon's data folder. */
  get data(): string {
    return join(this.folder, 'data');
  }
  get address(): string {
    return `unix://${this.socket}`;
  }
  get engine(): Engine {
    if (!this.#engine) throw new Error(`${this.name} is not up`);
    return this.#engine;
  }

  async docker(...args: string[]): Promise<string> {
    const { stdout } = await command('docker', ['-H', this.address, ...args], { timeout: STOP_MS });
    return stdout.trim();
  }

  /** Starts the daemon and waits for its response; one that exits is restarted, as its supervisor would. */
  async up(): Promise<void> {
    for (let tries = 1; ; tries++)
      try {
        return await this.#up();
      } catch (error) {
        if (tries === UP_TRIES) throw error;
        await this.#endContainerd();
      }
  }

  async #up(): Promise<void> {
    if (this.#daemon) return;
    await rm(join(this.folder, 'pid'), { force: true });
    const file = openSync(join(this.folder, 'dockerd.log'), 'a');
    const args = ['-H', this.address, '--data-root', this.data];
    args.push('--exec-root', join(this.folder, 'run'), '-p', join(this.folder, 'pid'));
    if (this.#options.liveRestore) args.push('--live-restore');
    const inside = ['nsenter', '-t', String(this.#space?.pid), '-n', 'dockerd', ...args];
    const child = spawn('setpriv', ['--pdeathsig', 'TERM', ...inside], { stdio: ['ignore', file, file] });
    closeSync(file);
    this.#daemon = child;
    const engine = await dockerEngine({ address: this.address });
    this.#engine = engine;
    const end = performance.now() + READY_MS;
    while (!(await engine.info().catch(() => undefined))) {
      if (child.exitCode !== null || child.signalCode !== null || performance.now() > end) {
        await this.down('SIGKILL');
        throw new Error(`no engine at ${this.address}`);
      }
      await delay(100);
    }
  }

  /** Ends only the daemon; its containers may continue. */
  async down(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const child = this.#daemon;
    if (!child) return;
    this.#daemon = undefined;
    const running = child.exitCode === null && child.signalCode === null;
    const gone = running ? once(child, 'exit') : undefined;
    child.kill(signal);
    const late = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
    await gone;
    clearTimeout(late);
    await this.#engine?.close();
  }

  /** A port of its loopback leads to this unix socket of the machine. */
  async forward(port: number, socket: string): Promise<void> {
    const script = `
      const net = require('node:net');
      net.createServer((one) => {
        const other = net.connect(${JSON.stringify(socket)});
        const end = () => { one.destroy(); other.destroy(); };
        one.on('error', end).on('close', end); other.on('error', end).on('close', end);
        one.pipe(other).pipe(one);
      }).listen(${port}, '127.0.0.1', () => console.log('up'));`;
    const { stdout } = this.startInside([process.execPath, '-e', script], 'pipe');
    if (stdout) await once(stdout, 'data');
  }

  /** A program in its namespace; ends with it. */
  startInside(words: readonly string[], output: 'ignore' | 'pipe' = 'ignore'): ChildProcess {
    const inside = ['nsenter', '-t', String(this.#space?.pid), '-n', ...words];
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', ...inside], {
      stdio: ['ignore', output, 'ignore'],
    });
    this.#forwards.push(child);
    return child;
  }

  /** This unix socket of the machine leads to a port of its loopback. */
  async offer(socket: string, port: number): Promise<void> {
    await rm(socket, { force: true });
    const script = `
      const net = require('node:net');
      net.createServer((one) => {
        const other = net.connect(${port}, '127.0.0.1');
        const end = () => { one.destroy(); other.destroy(); };
        one.on('error', end).on('close', end); other.on('error', end).on('close', end);
        one.pipe(other).pipe(one);
      }).listen(${JSON.stringify(socket)}, () => console.log('up'));`;
    const { stdout } = this.startInside([process.execPath, '-e', script], 'pipe');
    if (stdout) await once(stdout, 'data');
  }

  async stop(): Promise<void> {
    if (this.#daemon) {
      await this.docker('swarm', 'leave', '--force').catch(() => undefined); // it may not be in one
      const all = await this.docker('ps', '-q').catch(() => '');
      if (all !== '') await this.docker('kill', ...all.split('\n')).catch(() => undefined); // ends with its engine anyway
    }
    await this.down('SIGTERM');
    for (const child of [...this.#forwards, this.#space]) child?.kill('SIGKILL');
    await this.#endContainerd();
    await unmountBelow(this.folder);
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  /** A process that outlived a killed daemon. */
  async #endContainerd(): Promise<void> {
    const file = join(this.folder, 'run', 'containerd', 'containerd.pid');
    const pid = Number(await readFile(file, 'utf8').catch(() => '0'));
    if (!pid) return;
    const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (!line.includes(this.folder)) return;
    process.kill(pid, 'SIGKILL');
    for (let tries = 0; tries < 50; tries++) {
      if (!(await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => ''))) return;
      await delay(50);
    }
  }
}
