/**
 * The way to an engine over ssh: one OpenSSH process for each engine, kept up. Role: a local socket that is the engine's.
 * dockerode would open an ssh connection for every request and check no host key.
 *   S1 Host keys are checked, always; an unknown or changed one is `engine/untrusted`, with no fallback and no question.
 *   S2 Arguments are an array, and user, host, port and paths have been checked: nothing is read by a shell.
 *   S3 The process ends with this one, however this one ends, and a Ctrl-C meant for this one does not reach it.
 *   S4 When it is lost it is started again, at the next call and by itself.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { access, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { DavitError } from '../../../errors.ts';
import { removeTempFolder, tempFolder } from '../../temp.ts';
import { oneLine } from '../../text.ts';
import type { EngineAddress } from './address.ts';

const READY_MS = 30_000;
const LOOK_MS = 20;
const INITIAL_PAUSE_MS = 500;
const MAX_PAUSE_MS = 30_000;
const MAX_WORDS = 4_000;

type SshAddress = Extract<EngineAddress, { kind: 'ssh' }>;
export interface SshOptions {
  address: SshAddress;
  /** As a person wrote it. */
  shown: string;
  knownHosts?: string;
  /** Ports of this machine's loopback that the engine's machine gets on its own: the registry. */
  reversePorts: number[];
}

/** Arguments of ssh. Pure. Throws `engine/address` for a path that ssh's options cannot carry. */
export function sshArguments(options: Omit<SshOptions, 'shown'>, localSocket: string): string[] {
  const { address, knownHosts } = options;
  if (knownHosts !== undefined && /["\\\r\n\0%$]/.test(knownHosts))
    throw new DavitError(
      'engine/address',
      'The path of the known_hosts file has characters that ssh would read.',
    );
  const settings = [
    'StrictHostKeyChecking=yes',
    'BatchMode=yes',
    'ConnectTimeout=15',
    // A board that is gone is noticed after 45 s, also when the network only swallows packets.
    'ServerAliveInterval=15',
    'ServerAliveCountMax=3',
    'StreamLocalBindUnlink=yes',
    'ForwardAgent=no',
    'PermitLocalCommand=no',
    'ControlMaster=no',
    'ControlPath=none',
    // Another worker of the same board may have this port already: it is the same registry.
    'ExitOnForwardFailure=no',
    ...(knownHosts === undefined
      ? []
      : [`UserKnownHostsFile="${knownHosts}"`, 'GlobalKnownHostsFile=/dev/null']),
  ];
  return [
    '-N',
    '-T',
    ...settings.flatMap((setting) => ['-o', setting]),
    '-L',
    `${localSocket}:${address.socket}`,
    ...options.reversePorts.flatMap((port) => ['-R', `127.0.0.1:${port}:127.0.0.1:${port}`]),
    ...(address.port === undefined ? [] : ['-p', String(address.port)]),
    '--',
    `${address.user === undefined ? '' : `${address.user}@`}${address.host.replace(/^\[|\]$/g, '')}`,
  ];
}

/** Runs "$@" for as long as standard input is open: S3, for a parent that dies without a word. */
const WHILE_PARENT_LIVES =
  'exec 3<&0; "$@" </dev/null 3<&- & child=$!; (cat; kill $child) <&3 >/dev/null 2>&1 & exec 3<&-; wait $child';

export class SshTunnel {
  readonly socketPath: string;
  readonly #folder: string;
  readonly #options: SshOptions;
  #up?: Promise<void>;
  #child?: ChildProcess;
  #gone?: Promise<unknown>;
  #closed = false;
  #pause = INITIAL_PAUSE_MS;

  private constructor(folder: string, options: SshOptions) {
    this.#folder = folder;
    this.#options = options;
    this.socketPath = join(folder, 'engine.sock');
  }

  /** A tunnel that is not up yet. */
  static async create(options: SshOptions): Promise<SshTunnel> {
    sshArguments(options, '');
    return new SshTunnel(await tempFolder('ssh'), options);
  }

  /** Resolves when the tunnel is up. Rejects with `engine/untrusted` or `engine/unreachable`, in ssh's words. */
  assure(): Promise<void> {
    if (this.#closed)
      return Promise.reject(
        new DavitError('engine/unreachable', `The way to ${this.#options.shown} was closed.`),
      );
    this.#up ??= this.#start().catch((error: unknown) => {
      this.#up = undefined;
      throw error;
    });
    return this.#up;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#child?.stdin?.destroy();
    await this.#gone;
    await removeTempFolder(this.#folder);
  }

  async #start(): Promise<void> {
    await rm(this.socketPath, { force: true });
    const child = spawn(
      'sh',
      ['-c', WHILE_PARENT_LIVES, 'davit-ssh', 'ssh', ...sshArguments(this.#options, this.socketPath)],
      { stdio: ['pipe', 'ignore', 'pipe'], detached: true },
    );
    this.#child = child;
    let words = '';
    child.stderr.on('data', (chunk: Buffer) => {
      words = (words + chunk.toString('utf8')).slice(-MAX_WORDS);
    });
    // A pipe to a process that is gone breaks: its end is what counts.
    child.stdin.on('error', () => {});
    const ended = new Promise<Error | undefined>((resolve) => {
      child.once('error', resolve);
      child.once('close', () => resolve(undefined));
      child.once('exit', () => child.stdin.destroy());
    });
    this.#gone = ended;
    let over = false;
    void ended.then(() => (over = true));
    const deadline = performance.now() + READY_MS;
    while (!(await there(this.socketPath))) {
      if (over) throw this.#failure(words, await ended);
      if (performance.now() > deadline) {
        child.stdin.destroy();
        throw this.#failure('it did not connect in time', undefined);
      }
      await delay(LOOK_MS);
    }
    this.#pause = INITIAL_PAUSE_MS;
    void ended.then(() => this.#lost(child));
  }

  #lost(child: ChildProcess): void {
    if (this.#child !== child || this.#closed) return;
    this.#up = undefined;
    this.#later();
  }

  /** Tries in the background: jobs on the board need the registry also when nobody calls the engine. */
  #later(): void {
    const timer = setTimeout(() => {
      if (this.#closed) return;
      this.assure().catch(() => this.#later()); // whoever calls next is told why
    }, this.#pause);
    timer.unref();
    this.#pause = Math.min(this.#pause * 2, MAX_PAUSE_MS);
  }

  #failure(words: string, error: Error | undefined): DavitError {
    const { shown } = this.#options;
    if (error)
      return new DavitError(
        'engine/unreachable',
        `Cannot run ssh to reach ${shown}: ${oneLine(error.message)}`,
      );
    if (
      /host key verification failed|remote host identification has changed|no \S+ host key is known/i.test(
        words,
      )
    )
      return new DavitError(
        'engine/untrusted',
        `The ssh host key of ${shown} is not known, or has changed; nothing was sent to it.`,
        {
          hint: 'Compare the key on the machine itself, then put it into known_hosts (ssh-keyscan shows it).',
        },
      );
    return new DavitError('engine/unreachable', `The ssh connection to ${shown} failed: ${oneLine(words)}`, {
      hint: /permission denied/i.test(words)
        ? 'ssh must log in with a key and without a question: test it with `ssh -o BatchMode=yes`.'
        : undefined,
    });
  }
}

const there = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );
