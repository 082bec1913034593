/** Processes of a world: started, killed, frozen, restarted. They end with the harness, however that ends. */
import { spawn, type ChildProcess } from 'node:child_process';
import { openSync, closeSync, readFileSync } from 'node:fs';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { READY_MESSAGE } from '../../src/local/process/managed-process.ts';

const READY_MS = 60_000;

export interface ProcessOf {
  name: string;
  program: string;
  args: string[];
  env?: NodeJS.ProcessEnv;
  log: string;
  /**
   * Its program forks the first process of a namespace: signals go to that one, and its end ends all others
   * there.
   */
  first?: true;
  /** Polled until it is true; without it, the process reports by itself that it is ready. */
  ready?(): Promise<boolean>;
}

export class Process {
  readonly name: string;
  readonly #of: ProcessOf;
  #args: string[];
  #env: NodeJS.ProcessEnv | undefined;
  #child: ChildProcess | undefined;
  #gone: Promise<unknown> = Promise.resolve();
  #frozen = false;

  constructor(of: ProcessOf) {
    this.name = of.name;
    this.#of = of;
    this.#args = of.args;
    this.#env = of.env;
  }

  /** From its next start on; without a change, as it was made. */
  withArgs(change: (args: readonly string[]) => string[] = (args) => [...args]): void {
    this.#args = change(this.#of.args);
  }

  /** Kills it and starts it with this change. */
  async again(change: Parameters<Process['withArgs']>[0]): Promise<void> {
    this.withArgs(change);
    await this.end('SIGKILL');
    await this.start();
  }

  /** The same for its environment. */
  withEnv(change: NodeJS.ProcessEnv = {}): void {
    this.#env = { ...this.#of.env, ...change };
  }

  get running(): boolean {
    return this.#child !== undefined;
  }
  get frozen(): boolean {
    return this.#frozen;
  }
  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** Resolves when it is ready. */
  async start(): Promise<void> {
    if (this.#child) return;
    const { program, log, ready } = this.#of;
    const env = this.#env;
    const file = openSync(log, 'a', 0o600);
    const command = ['--pdeathsig', 'KILL', program, ...this.#args];
    const stdio = ready ? ['ignore', file, file] : ['ignore', file, file, 'ipc'];
    const child = spawn('setpriv', command, { env, stdio: stdio as ('ignore' | 'ipc' | number)[] });
    closeSync(file);
    this.#child = child;
    const gone = once(child, 'exit').then(() => {
      if (this.#child === child) this.#child = undefined;
    });
    this.#gone = gone;
    const said = new Promise<true>((resolve) =>
      child.on('message', (message) => {
        if (message === READY_MESSAGE) resolve(true);
      }),
    );
    const late = AbortSignal.timeout(READY_MS);
    const over = gone.then((): never => {
      throw new Error(`${this.name} ended before it was ready: ${readFileSync(log, 'utf8').slice(-600)}`);
    });
    over.catch(() => undefined);
    try {
      await Promise.race([over, ready ? until(ready, late) : said, rejected(late, this.name)]);
    } catch (error) {
      // A hanging one is killed, so that the next start is a real start.
      await this.end('SIGKILL');
      throw error;
    }
  }

  /** Resolves when it has ended. */
  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const child = this.#child;
    if (!child) return;
    if (this.#frozen && signal === 'SIGTERM') this.thaw();
    this.#signal(child, signal);
    await this.#gone;
    this.#frozen = false;
  }
  freeze(): void {
    this.#frozen = true;
    if (this.#child) this.#signal(this.#child, 'SIGSTOP');
  }
  thaw(): void {
    this.#frozen = false;
    if (this.#child) this.#signal(this.#child, 'SIGCONT');
  }

  #signal(child: ChildProcess, signal: NodeJS.Signals): void {
    const first = this.#of.first ? onlyChildOf(child.pid ?? 0) : undefined;
    if (first === undefined) child.kill(signal);
    else process.kill(first, signal);
  }
}

/** Undefined before it is forked and after it has ended. */
function onlyChildOf(pid: number): number | undefined {
  try {
    const [child] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ');
    return child ? Number(child) : undefined;
  } catch {
    return undefined;
  }
}

async function until(ask: () => Promise<boolean>, signal: AbortSignal): Promise<true> {
  for (;;) {
    signal.throwIfAborted();
    if (await ask().catch(() => false)) return true;
    await delay(50);
  }
}

const rejected = (signal: AbortSignal, name: string): Promise<never> =>
  new Promise((_, reject) =>
    signal.addEventListener('abort', () => reject(new Error(`${name} was not ready in time`)), {
      once: true,
    }),
  );
