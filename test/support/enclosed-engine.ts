/**
 * An engine in a network without a way out, with neighbours that listen: the machine itself, a private host, a
 * metadata service and an "internet". Nothing outside of the namespaces is reached. Root only.
 */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, open, readlink, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { dockerEngine } from '../../src/adapters/docker/index.ts';
import type { Engine } from '../../src/adapters/ports.ts';
import { HELPER_IMAGE } from './engine.ts';
import { unmountBelow } from './unmount.ts';

const command = promisify(execFile);
const READY_MS = 60_000;
const STOP_MS = 30_000;

/** Addresses of the world. `internet` is one of those that documentation uses. */
export const WORLD = {
  machine: '10.77.0.1',
  privateHost: '10.77.0.2',
  metadata: '169.254.169.254',
  internet: '203.0.113.10',
} as const;
/** The same with IPv6, for engines whose networks have it. */
export const WORLD_6 = {
  machine: 'fd77::1',
  privateHost: 'fd77::2',
  metadata: 'fd00:ec2::254',
  internet: '2001:db8::10',
} as const;
/** Ports of the machine, on all of its addresses; the neighbours listen on 80 and 8080. The registry is a real one. */
export const PORTS = { temporal: 7233, registryAdmin: 5001, server: 8420, registry: 5000, web: 80 } as const;

export interface EnclosedEngine {
  /** For `dockerEngine`. */
  address: string;
  engine: Engine;
  /** Runs a program on the machine; rejects with its output. */
  run(program: string, ...args: string[]): Promise<string>;
  /** Ends the engine, empties the firewall as a restart of the machine does, and starts the engine again. */
  restartMachine(): Promise<void>;
  stop(): Promise<void>;
}
export interface EnclosedOptions {
  /** Folders put before PATH. */
  programs?: readonly string[];
  /** `daemon.json` */
  config?: Readonly<Record<string, unknown>>;
  /** Programs that the machine does not have. */
  without?: readonly string[];
}

export async function startEnclosedEngine(options: EnclosedOptions = {}): Promise<EnclosedEngine> {
  const folder = await mkdtemp(join(tmpdir(), 'davit-e-'));
  const address = `unix://${folder}/docker.sock`;
  const children: ChildProcess[] = [];
  const hidden = (options.without ?? []).map((path) => `[ ! -e ${path} ] || mount --bind /dev/null ${path}`);
  // Docker's nftables firewall does not turn it on by itself.
  const forwarding = ['ipv4/conf/all', 'ipv6/conf/all', 'ipv6/conf/default'].map(
    (path) => `echo 1 >/proc/sys/net/${path}/forwarding`,
  );
  const machine = await space(['ip link set lo up', ...forwarding, ...hidden]);
  children.push(machine);
  const lan = await space(['ip link set lo up']);
  children.push(lan);
  const inside = (of: ChildProcess, ...args: string[]): string[] => [
    ...[
      '-t',
      String(of.pid),
      '-n',
      '-m',
      'env',
      `PATH=${[...(options.programs ?? []), process.env.PATH].join(delimiter)}`,
    ],
    ...args,
  ];
  const run = async (...args: string[]): Promise<string> =>
    (await command('nsenter', inside(machine, ...args))).stdout;
  let daemon: ChildProcess | undefined;
  const stop = async (): Promise<void> => {
    if (daemon) await end(daemon);
    for (const child of children.reverse()) child.kill('SIGKILL');
    await unmountBelow(folder);
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  };
  const start = async (): Promise<void> => {
    const log = await open(join(folder, 'log'), 'a');
    const dockerd = [
      'dockerd',
      '-H',
      address,
      '--data-root',
      `${folder}/data`,
      '--exec-root',
      `${folder}/run`,
    ];
    const more = ['-p', `${folder}/pid`, '--config-file', `${folder}/daemon.json`];
    daemon = spawn('setpriv', ['--pdeathsig', 'TERM', 'nsenter', ...inside(machine, ...dockerd, ...more)], {
      stdio: ['ignore', log.fd, log.fd],
    });
    await log.close();
    const ready = performance.now() + READY_MS;
    while (
      !(await command('docker', ['-H', address, 'info']).then(
        () => true,
        () => false,
      ))
    ) {
      if (performance.now() > ready || daemon.exitCode !== null)
        throw new Error(`no engine: ${(await command('tail', ['-5', `${folder}/log`])).stdout}`);
      await delay(100);
    }
  };
  try {
    await connected(machine, lan);
    await writeFile(join(folder, 'daemon.json'), JSON.stringify(options.config ?? {}));
    await writeFile(join(folder, 'registry.yml'), registryConfig(folder));
    children.push(
      attached(inside(machine, 'docker-registry', 'serve', join(folder, 'registry.yml'))),
      listener(inside(machine), [PORTS.temporal, PORTS.registryAdmin, PORTS.server]),
    );
    children.push(listener(inside(lan), [PORTS.web, 8080]));
    await start();
    await command('sh', ['-c', `docker save ${HELPER_IMAGE} | docker -H ${address} load`]);
    const engine = await dockerEngine({ address });
    return {
      address,
      engine,
      run,
      async restartMachine() {
        if (daemon) await end(daemon);
        await run(
          'sh',
          '-c',
          'nft flush ruleset || for p in iptables ip6tables; do $p -t mangle -F; $p -t mangle -X; done',
        );
        await start();
      },
      async stop() {
        await engine.close();
        await stop();
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** A process that holds a network and a mount namespace of its own. */
async function space(setUp: readonly string[]): Promise<ChildProcess> {
  const script = [...setUp, 'exec sleep infinity'].join('; ');
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', 'unshare', '--net', '--mount', 'sh', '-c', script], {
    stdio: 'ignore',
  });
  const own = await readlink('/proc/self/ns/net');
  const ready = performance.now() + READY_MS;
  for (;;) {
    const [theirs, { stdout: line }] = await Promise.all([
      readlink(`/proc/${child.pid}/ns/net`),
      command('cat', [`/proc/${child.pid}/cmdline`]),
    ]);
    if (theirs !== own && line.startsWith('sleep')) return child;
    if (child.exitCode !== null || performance.now() > ready) throw new Error('No namespaces: is this root?');
    await delay(20);
  }
}

/** A cable between both; all that is no address of the machine is at the other end. */
async function connected(machine: ChildProcess, lan: ChildProcess): Promise<void> {
  const ip = (of: ChildProcess, ...args: string[]): Promise<unknown> =>
    command('nsenter', ['-t', String(of.pid), '-n', 'ip', ...args]);
  await ip(
    machine,
    'link',
    'add',
    'cable',
    'type',
    'veth',
    'peer',
    'name',
    'cable',
    'netns',
    String(lan.pid),
  );
  await ip(machine, 'address', 'add', `${WORLD.machine}/24`, 'dev', 'cable');
  for (const address of [`${WORLD.privateHost}/24`, `${WORLD.metadata}/32`, `${WORLD.internet}/32`])
    await ip(lan, 'address', 'add', address, 'dev', 'cable');
  await ip(machine, 'address', 'add', `${WORLD_6.machine}/64`, 'dev', 'cable', 'nodad');
  for (const address of [`${WORLD_6.privateHost}/64`, `${WORLD_6.metadata}/128`, `${WORLD_6.internet}/128`])
    await ip(lan, 'address', 'add', address, 'dev', 'cable', 'nodad');
  for (const of of [machine, lan]) await ip(of, 'link', 'set', 'cable', 'up');
  await ip(machine, 'route', 'add', 'default', 'via', WORLD.privateHost);
  await ip(machine, '-6', 'route', 'add', 'default', 'via', WORLD_6.privateHost);
}

/** Takes connections on all addresses and closes them. */
function listener(enter: readonly string[], ports: readonly number[]): ChildProcess {
  const program = `for (const port of ${JSON.stringify(ports)}) require('node:net').createServer((s) => { s.on('error', () => {}); s.end(); }).listen(port, '::')`;
  return attached([...enter, process.execPath, '-e', program]);
}

const attached = (enter: readonly string[]): ChildProcess =>
  spawn('setpriv', ['--pdeathsig', 'KILL', 'nsenter', ...enter], { stdio: 'ignore' });

const registryConfig = (folder: string): string => `version: 0.1
log: { level: error, accesslog: { disabled: true } }
storage: { filesystem: { rootdirectory: ${folder}/registry } }
http: { addr: "0.0.0.0:${PORTS.registry}" }
`;

async function end(daemon: ChildProcess): Promise<void> {
  if (daemon.exitCode !== null || daemon.signalCode !== null) return;
  const gone = once(daemon, 'exit');
  daemon.kill('SIGTERM');
  const late = setTimeout(() => daemon.kill('SIGKILL'), STOP_MS);
  await gone;
  clearTimeout(late);
}
