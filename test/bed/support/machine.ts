/** One machine of the bed: an engine, an ssh server, names of the others. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { INSIDE, type Space, type Started } from './space.ts';

const READY_MS = 60_000;
const PRIVATE = 0o600;
const USER = 'root';
/** First on PATH of who logs in. */
const PROGRAMS = `${INSIDE}/bin`;

export class Machine {
  readonly space: Space;
  readonly address: string;
  #engine: Started | undefined;
  #ssh: Started | undefined;
  #engineArguments: readonly string[] = [];

  constructor(space: Space, address: string) {
    this.space = space;
    this.address = address;
  }

  get name(): string {
    return this.space.name;
  }
  /** Where its engine keeps everything. */
  static readonly engineFolder = `${INSIDE}/docker`;
  /** In the form of `--docker`. */
  get ssh(): string {
    return `ssh://${USER}@${this.name}`;
  }

  run(program: string, ...args: string[]): Promise<string> {
    return this.space.run(program, ...args);
  }

  /** Writes a file of this machine alone: below /etc, /run or INSIDE. */
  async write(path: string, text: string, mode = 0o644): Promise<void> {
    const name = `write-${Math.random().toString(36).slice(2)}`;
    await writeFile(join(this.space.folder, name), text);
    await this.run('install', '-D', '-m', mode.toString(8), `${INSIDE}/${name}`, path);
    await this.run('rm', `${INSIDE}/${name}`);
  }
  read(path: string): Promise<string> {
    return this.run('cat', path);
  }

  /** `args`: more of `dockerd`, also for its next starts. Resolves when it responds. */
  async startEngine(options: { args?: readonly string[] } = {}): Promise<void> {
    this.#engineArguments = options.args ?? this.#engineArguments;
    await mkdir(join(this.space.folder, 'docker'), { recursive: true });
    const words = ['dockerd', '--data-root', Machine.engineFolder, '-H', 'unix:///var/run/docker.sock'];
    const engine = await this.space.start('dockerd', [...words, ...this.#engineArguments]);
    this.#engine = engine;
    const deadline = performance.now() + READY_MS;
    while (!(await this.#responds())) {
      if (engine.isOver() || performance.now() > deadline)
        throw new Error(`No engine on ${this.name}:\n${(await engine.text()).slice(-2_000)}`);
      await delay(100);
    }
  }
  async stopEngine(): Promise<void> {
    await this.#engine?.stop();
  }
  async restartEngine(): Promise<void> {
    await this.stopEngine();
    await this.startEngine();
  }
  #responds(): Promise<boolean> {
    return this.run('docker', 'info').then(
      () => true,
      () => false, // not yet
    );
  }

  /** Lets in who has an authorized key or a password. Its host key is new. */
  async startSsh(): Promise<void> {
    await this.run('rm', '-f', `${INSIDE}/host-key`, `${INSIDE}/host-key.pub`);
    await this.run('ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', `${INSIDE}/host-key`);
    await this.write(
      '/etc/ssh/sshd_config',
      [
        `HostKey ${INSIDE}/host-key`,
        'AuthorizedKeysFile .ssh/authorized_keys',
        `SetEnv PATH=${PROGRAMS}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
        // The folder of a test may be one that others can write to.
        'StrictModes no',
        'PermitRootLogin yes',
        'PasswordAuthentication yes',
        'UsePAM no',
        'UseDNS no',
        'PrintMotd no',
        'Subsystem sftp internal-sftp',
        '',
      ].join('\n'),
    );
    await this.#serveSsh();
  }
  async authorize(key: string): Promise<void> {
    await this.write(`${INSIDE}/home/.ssh/authorized_keys`, key, PRIVATE);
  }
  /** Its user, who may do everything, as on a board that has just been set up. */
  async addPerson({ name, password }: { name: string; password: string }): Promise<void> {
    await this.run('sh', '-c', `echo '${name}:x:0:0::${INSIDE}/home:/bin/sh' >>/etc/passwd`);
    await this.run('sh', '-c', `echo '${name}:*:19000:0:99999:7:::' >>/etc/shadow`);
    await this.run('sh', '-c', `echo '${name}:${password}' | chpasswd`);
    // The user is root already.
    await this.write(`${PROGRAMS}/sudo`, '#!/bin/sh\nexec "$@"\n', 0o755);
  }
  async #serveSsh(): Promise<void> {
    this.#ssh = await this.space.start('sshd', ['/usr/sbin/sshd', '-D', '-e']);
  }
  /** Breaks all connections. */
  async restartSsh(): Promise<void> {
    await this.stopSsh();
    await this.#serveSsh();
  }
  async newHostKey(): Promise<void> {
    await this.stopSsh();
    await this.startSsh();
  }
  /** Ends the server and all of its connections. */
  async stopSsh(): Promise<void> {
    const server = this.#ssh;
    if (!server) return;
    const connections = (await this.run('sh', '-c', `pgrep -P ${server.pid} || true`)).split('\n');
    await server.stop();
    for (const pid of connections)
      if (pid !== '') await this.run('sh', '-c', `kill -KILL ${pid} 2>/dev/null || true`);
  }
  /** A line of known_hosts. */
  async hostKey(): Promise<string> {
    const [kind, key] = (await readFile(join(this.space.folder, 'host-key.pub'), 'utf8')).split(' ');
    return `${this.name} ${kind} ${key}\n`;
  }
}
