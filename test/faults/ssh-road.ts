/**
 * The way to an engine over ssh: a real ssh server in the engine's network namespace, reached at a port of this machine's
 * loopback through a border that carries bytes. Behind it is a socket of the machine, so that the borders of HTTP stay
 * where they are.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { freePort } from '../support/port.ts';
import type { Border } from './border.ts';
import type { OwnEngine } from './engine.ts';
import { listening, type Proxy, throughBorder } from './listening.ts';

const USER = 'root';
const SSH_PORT = 22;
const SSHD = '/usr/sbin/sshd';
/** Where sshd wants a folder, which systemd makes elsewhere. */
const PRIVILEGES = '/run/sshd';

/** The roads to both engines of a world, and the client that knows them. */
export class Roads {
  readonly #roads: Readonly<Record<'board' | 'live', SshRoad>>;
  readonly #client: { path: string; authorizedKeys: string };

  private constructor(home: string, board: SshRoad, live: SshRoad) {
    this.#roads = { board, live };
    this.#client = sshClient(home, [board, live]);
  }

  static async open(home: string, borderOf: (name: string) => Border): Promise<Roads> {
    if (!existsSync(SSHD))
      throw new Error(`There is no ${SSHD}: \`npm run test:parts openssh-server\` installs it.`);
    const board = await SshRoad.open(home, 'board', borderOf('board>ssh'));
    return new Roads(home, board, await SshRoad.open(home, 'live', borderOf('live>ssh')));
  }

  /** For PATH. */
  get path(): string {
    return this.#client.path;
  }
  /** The address of a socket of the machine, for a part of the world. */
  address(part: string, socket: string): string {
    return this.#roads[part === 'board2' ? 'live' : 'board'].address(socket);
  }
  pave(to: 'board' | 'live', engine: OwnEngine): Promise<void> {
    return this.#roads[to].pave(engine, this.#client.authorizedKeys);
  }
  async close(): Promise<void> {
    for (const road of Object.values(this.#roads)) await road.close();
  }
}

class SshRoad {
  readonly port: number;
  readonly #folder: string;
  #proxy: Proxy | undefined;

  private constructor(folder: string, port: number) {
    this.#folder = folder;
    this.port = port;
  }

  /** `name`: of the engine. Nothing listens at its end before `pave`. */
  static async open(home: string, name: string, border: Border): Promise<SshRoad> {
    const road = new SshRoad(join(home, 'ssh', name), await freePort());
    mkdirSync(road.#folder, { recursive: true, mode: 0o700 });
    keyPair(join(road.#folder, 'host-key'));
    road.#proxy = await byteProxy(border, road.port, road.#socket);
    return road;
  }

  get #socket(): string {
    return join(this.#folder, 's.sock');
  }
  /** In the form of `--docker`, for a socket behind it. */
  address(socket: string): string {
    return `ssh://${USER}@127.0.0.1:${this.port}${socket}`;
  }
  /** A line of known_hosts. */
  get hostKey(): string {
    const [kind, key] = readFileSync(join(this.#folder, 'host-key.pub'), 'utf8').split(' ');
    return `[127.0.0.1]:${this.port} ${kind} ${key}\n`;
  }

  /** Starts the server in the engine's namespace; it ends with the engine. */
  async pave(engine: OwnEngine, authorizedKeys: string): Promise<void> {
    mkdirSync(PRIVILEGES, { recursive: true, mode: 0o755 });
    const config = join(this.#folder, 'sshd_config');
    writeFileSync(
      config,
      [
        `ListenAddress 127.0.0.1:${SSH_PORT}`,
        `HostKey ${join(this.#folder, 'host-key')}`,
        `AuthorizedKeysFile ${authorizedKeys}`,
        ...['PidFile none', 'StrictModes no', 'UsePAM no', 'UseDNS no', 'PasswordAuthentication no'],
        'PermitRootLogin prohibit-password',
        '',
      ].join('\n'),
    );
    engine.startInside([SSHD, '-D', '-f', config]);
    await engine.offer(this.#socket, SSH_PORT);
  }

  async close(): Promise<void> {
    await this.#proxy?.close();
  }
}

/** A new key at this path, without a passphrase. */
function keyPair(path: string): void {
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', path]);
}

/**
 * A folder for PATH with an `ssh` that knows the key and the hosts of the world: the real one takes those from the home of
 * the user in /etc/passwd, which is the machine's. Host keys are checked all the same.
 */
function sshClient(home: string, roads: readonly SshRoad[]): { path: string; authorizedKeys: string } {
  const folder = join(home, 'ssh');
  const [path, config, key] = [join(folder, 'bin'), join(folder, 'config'), join(folder, 'key')];
  keyPair(key);
  writeFileSync(join(folder, 'known_hosts'), roads.map(({ hostKey }) => hostKey).join(''));
  writeFileSync(
    config,
    `Host *\n  IdentityFile ${key}\n  UserKnownHostsFile ${join(folder, 'known_hosts')}\n  GlobalKnownHostsFile /dev/null\n`,
    { mode: 0o600 },
  );
  mkdirSync(path);
  writeFileSync(join(path, 'ssh'), `#!/bin/sh\nexec /usr/bin/ssh -F ${config} "$@"\n`, { mode: 0o755 });
  return { path, authorizedKeys: `${key}.pub` };
}

async function byteProxy(border: Border, port: number, socketPath: string): Promise<Proxy> {
  const sockets = new Set<Socket>();
  const pass = (from: Socket, to: Socket): Promise<void> => pipeline(from, throughBorder(border), to);
  const server = createServer((socket) => {
    if (border.state === 'cut') return void socket.destroy();
    const other = connect(socketPath);
    for (const one of [socket, other]) {
      sockets.add(one);
      one.on('error', () => one.destroy()).once('close', () => sockets.delete(one));
    }
    // A broken connection is what the border is for.
    const end = (): void => {
      socket.destroy();
      other.destroy();
    };
    Promise.all([pass(socket, other), pass(other, socket)]).then(end, end);
  });
  border.destroyAll = () => {
    for (const socket of sockets) socket.destroy();
  };
  return listening(border, server, { port, host: '127.0.0.1' });
}
