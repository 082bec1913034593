/**
 * Access to an engine over ssh: one OpenSSH process for each engine, kept running, which forwards a local
 * socket to the engine's. dockerode would open an ssh connection for every request and check no host key.
 *   SSH-1 Host keys are always checked; an unknown or changed one is `engine/untrusted`, without fallback or
 *         prompt.
 *   SSH-2 Arguments are an array, and user, host, port and paths are validated: no shell parses them.
 *   SSH-3 The process ends with this one, however this one ends, and does not receive a Ctrl-C meant for this
 *         one.
 *   SSH-4 A lost process is restarted, at the next call and in the background.
 *   SSH-5 Ports that the board needs of this machine are forwarded by the same connection (`reverse.ts`).
 */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { access, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { DavitError } from '../../../errors.ts';
import { removeTempFolder, tempFolder } from '../../temp.ts';
import { oneLine } from '../../text.ts';
import type { SshAddress } from './address.ts';
import { ReverseForwards } from './reverse.ts';

const READY_MS = 30_000;
const LOOK_MS = 20;
const INITIAL_PAUSE_MS = 500;
/** A board that is back is used at once. */
const MAX_PAUSE_MS = 10_000;
const COMMAND_MS = 20_000;
const MAX_WORDS = 4_000;

export interface SshOptions {
  address: SshAddress;
  /** As it was configured, for messages. */
  shown: string;
  knownHosts?: string;
  /** Name of its key in `knownHosts`; the host's if absent. */
  hostKeyAlias?: string;
  /** Ports of this machine's loopback that are forwarded to the engine's loopback: the registry. */
  reversePorts: number[];
  /** Logs in with key files alone. */
  withoutAgent?: boolean;
  /** A forward that does not work, for the log. */
  onProblem?: (text: string) => void;
}

/** In the tunnel's own folder. */
export const tunnelPaths = (folder: string) => ({
  engine: join(folder, 'engine.sock'),
  control: join(folder, 'control'),
  /** Leads to this port of the board's loopback. */
  far: (port: number): string => join(folder, `far-${port}.sock`),
});

function quotable(path: string, what: string): string {
  if (!/["\\\r\n\0%$]/.test(path)) return path;
  throw new DavitError(
    'engine/address',
    `The path of ${what} contains characters that have a meaning for ssh.`,
  );
}

/** Arguments of ssh. Pure. Throws `engine/address` for a path that cannot be written in ssh's options. */
export function sshArguments(options: Omit<SshOptions, 'shown'>, folder: string): string[] {
  const { address, knownHosts, hostKeyAlias } = options;
  const paths = tunnelPaths(folder);
  if (knownHosts !== undefined) quotable(knownHosts, 'the known_hosts file');
  const settings = [
    'StrictHostKeyChecking=yes',
    'BatchMode=yes',
    'ConnectTimeout=15',
    // A lost board is detected after 45 s, even if the network only drops packets.
    'ServerAliveInterval=15',
    'ServerAliveCountMax=3',
    'StreamLocalBindUnlink=yes',
    'ForwardAgent=no',
    'PermitLocalCommand=no',
    // Forwards are asked for later, one by one.
    'ControlMaster=yes',
    `ControlPath="${quotable(paths.control, 'the temporary folder')}"`,
    'ControlPersist=no',
    'ExitOnForwardFailure=no',
    ...(knownHosts === undefined
      ? []
      : [`UserKnownHostsFile="${knownHosts}"`, 'GlobalKnownHostsFile=/dev/null']),
    ...(options.withoutAgent ? ['IdentityAgent=none'] : []),
    ...(hostKeyAlias === undefined ? [] : [`HostKeyAlias=${hostKeyAlias}`]),
  ];
  return [
    '-N',
    '-T',
    ...settings.flatMap((setting) => ['-o', setting]),
    '-L',
    `${paths.engine}:${address.socket}`,
    ...options.reversePorts.flatMap((port) => ['-L', `${paths.far(port)}:127.0.0.1:${port}`]),
    ...sshDestination(address),
  ];
}

/** The last arguments of ssh, before a possible command. */
export const sshDestination = ({ user, host, port }: SshAddress): string[] => [
  ...(port === undefined ? [] : ['-p', String(port)]),
  '--',
  `${user === undefined ? '' : `${user}@`}${host.replace(/^\[|\]$/g, '')}`,
];

/** A command to the ssh that runs in this folder. Pure. The user's configuration must not add to it. */
export const controlArguments = (folder: string, command: 'forward' | 'cancel', port: number): string[] => [
  ...['-F', 'none', '-o', `ControlPath="${tunnelPaths(folder).control}"`],
  ...['-O', command, '-R', `127.0.0.1:${port}:127.0.0.1:${port}`, '--', 'board'],
];

/** SSH-3, for a parent that is killed: runs "$@" for as long as standard input is open. */
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
  #reverse?: ReverseForwards;
  /** What this ssh has said. */
  #words = '';

  private constructor(folder: string, options: SshOptions) {
    this.#folder = folder;
    this.#options = options;
    this.socketPath = tunnelPaths(folder).engine;
  }

  /** A tunnel that is not up yet. */
  static async create(options: SshOptions): Promise<SshTunnel> {
    sshArguments(options, '/tmp');
    return new SshTunnel(await tempFolder('ssh'), options);
  }

  /**
   * Resolves when the tunnel is up. Rejects with `engine/untrusted` or `engine/unreachable`, with ssh's
   * message.
   */
  assure(): Promise<void> {
    if (this.#closed)
      return Promise.reject(
        new DavitError('engine/unreachable', `The connection to ${this.#options.shown} was closed.`),
      );
    this.#up ??= this.#start().catch((error: unknown) => {
      this.#up = undefined;
      throw error;
    });
    return this.#up;
  }

  /** What is wrong with a port of this machine's loopback that the board needs; undefined: nothing is known. */
  problem(port: number): string | undefined {
    return this.#reverse?.problem(port);
  }

  /** Why the engine does not answer although ssh is logged in; undefined: nothing is known. */
  hint(): string | undefined {
    if (!/connect failed: open failed/i.test(this.#words)) return undefined;
    const { socket, user = 'USER' } = this.#options.address;
    return `ssh logs in, and does not get to ${socket} there. Either no engine runs (\`sudo apt-get install docker.io\`), or this user may not use it (\`sudo usermod -aG docker ${user}\`), or its socket is another one (write its path behind the host), or sshd_config does not allow AllowTcpForwarding and AllowStreamLocalForwarding.`;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#reverse?.stop();
    this.#child?.stdin?.destroy();
    await this.#gone;
    await removeTempFolder(this.#folder);
  }

  async #start(): Promise<void> {
    const paths = tunnelPaths(this.#folder);
    await Promise.all([paths.engine, paths.control].map((path) => rm(path, { force: true })));
    const child = spawn(
      'sh',
      ['-c', WHILE_PARENT_LIVES, 'davit-ssh', 'ssh', ...sshArguments(this.#options, this.#folder)],
      { stdio: ['pipe', 'ignore', 'pipe'], detached: true },
    );
    this.#child = child;
    this.#words = '';
    child.stderr.on('data', (chunk: Buffer) => {
      this.#words = (this.#words + chunk.toString('utf8')).slice(-MAX_WORDS);
    });
    // A pipe to an ended process breaks; the end of the process is handled elsewhere.
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
      if (over) throw this.#failure(this.#words, await ended);
      if (performance.now() > deadline) {
        child.stdin.destroy();
        throw this.#failure('the connection timed out', undefined);
      }
      await delay(LOOK_MS);
    }
    this.#pause = INITIAL_PAUSE_MS;
    this.#reverse = this.#forwards();
    await this.#reverse.start();
    void ended.then(() => this.#lost(child));
  }

  #forwards(): ReverseForwards {
    const { shown, reversePorts, onProblem } = this.#options;
    const command = (name: 'forward' | 'cancel', port: number) =>
      runSsh(controlArguments(this.#folder, name, port));
    return new ReverseForwards({
      ports: reversePorts,
      shown,
      onProblem: onProblem ?? (() => undefined),
      commands: {
        forward: (port) => command('forward', port),
        cancel: async (port) => void (await command('cancel', port)),
        farSocket: tunnelPaths(this.#folder).far,
        mayLook: () => !/administratively prohibited/i.test(this.#words),
      },
    });
  }

  #lost(child: ChildProcess): void {
    if (this.#child !== child || this.#closed) return;
    void this.#reverse?.stop();
    this.#up = undefined;
    this.#later();
  }

  /** Retries in the background: jobs on the board need the registry even if nothing calls the engine. */
  #later(): void {
    const timer = setTimeout(() => {
      if (this.#closed) return;
      this.assure().catch(() => this.#later()); // the next caller gets the reason
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
        `The ssh host key of ${shown} is unknown or has changed. Nothing was sent to it.`,
        {
          hint: 'Check the key on the machine itself, then add it to known_hosts (`ssh-keyscan HOST` prints it).',
        },
      );
    return new DavitError('engine/unreachable', `The ssh connection to ${shown} failed: ${oneLine(words)}`, {
      hint: /permission denied/i.test(words)
        ? 'ssh must log in with a key and without a prompt. `ssh-copy-id` brings the key there; test it with `ssh -o BatchMode=yes`, for a unit also with `-o IdentityAgent=none`.'
        : undefined,
    });
  }
}

/** Ends with ssh's words, if it fails. */
const runSsh = (args: string[]): Promise<{ ok: boolean; words: string }> =>
  new Promise((resolve) => {
    execFile('ssh', args, { timeout: COMMAND_MS }, (error, _stdout, stderr) =>
      resolve({ ok: error === null, words: oneLine(stderr) }),
    );
  });

const there = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );
