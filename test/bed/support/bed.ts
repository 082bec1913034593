/**
 * A bed for a fleet: machines with an engine and an ssh server each, in a network that leads nowhere else. The first
 * one, the head, is where davit's server is. Root only. Nothing is left of it: see space.ts.
 */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { removeTempFolder, tempFolder } from '../../../src/adapters/temp.ts';
import { HELPER_IMAGE } from '../../support/engine.ts';
import { unmountBelow } from '../../support/unmount.ts';
import { startLan, type Lan } from './lan.ts';
import { Machine } from './machine.ts';
import { INSIDE, startSpace } from './space.ts';

const command = promisify(execFile);
/** Another name of the head: that of the server in davit's documentation. */
export const SERVER_NAME = 'davit.example.com';
const SWARM_PORT = 2377;

export interface Bed {
  lan: Lan;
  head: Machine;
  /** In the order of their names; the first is the head. */
  machines: readonly Machine[];
  machine(name: string): Machine;
  /** The head knows the ssh keys that the machines have now. */
  trustHostKeys(): Promise<void>;
  /** Joins all machines: the head is the manager. */
  joinSwarm(): Promise<void>;
  stop(): Promise<void>;
}

export interface BedOptions {
  /** The first is the head. */
  machines: readonly [string, ...string[]];
  /** The head has no key, and knows no host key. */
  bare?: boolean;
  /** Small disks in memory: folders inside, and their sizes in the format of mount(8), by machine. */
  disks?: Readonly<Record<string, { folder: string; size: string }>>;
  /** The data folder of an engine outside of the bed, by machine. */
  data?: Readonly<Record<string, string>>;
}

export async function startBed(options: BedOptions): Promise<Bed> {
  const { machines: names, disks = {}, data = {}, bare = false } = options;
  const folder = await tempFolder('bed');
  const ends: (() => Promise<void>)[] = [];
  const stop = async (): Promise<void> => {
    for (const end of ends.toReversed()) await end();
    await unmountBelow(folder);
    await removeTempFolder(folder);
  };
  try {
    const lan = await startLan(folder);
    ends.push(() => lan.space.end());
    const machines: Machine[] = [];
    for (const name of names) {
      const disk = disks[name];
      const setUp = disk
        ? [`mkdir -p ${disk.folder}`, `mount -t tmpfs -o size=${disk.size} tmpfs ${disk.folder}`]
        : [];
      const from = data[name];
      if (from !== undefined)
        setUp.push(`mkdir -p ${Machine.engineFolder}`, `mount --bind ${from} ${Machine.engineFolder}`);
      const space = await startSpace({ name, folder: join(folder, name), setUp });
      ends.push(() => space.end());
      machines.push(new Machine(space, await lan.plug(space)));
    }
    const [head] = machines;
    if (!head) throw new Error('A bed has at least one machine.');
    await introduce(machines);
    await Promise.all(
      machines.map(async (machine) => {
        await machine.startSsh();
        await machine.startEngine();
      }),
    );
    await giveHelper(machines, folder);
    const bed = bedOf(lan, machines, head);
    if (!bare) await acquaint(bed);
    return { ...bed, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function bedOf(lan: Lan, machines: readonly Machine[], head: Machine): Omit<Bed, 'stop'> {
  return {
    lan,
    head,
    machines,
    machine(name) {
      const found = machines.find((machine) => machine.name === name);
      if (!found) throw new Error(`The bed has no machine ${name}.`);
      return found;
    },
    async trustHostKeys() {
      const lines = await Promise.all(machines.map((machine) => machine.hostKey()));
      await head.write(`${INSIDE}/home/.ssh/known_hosts`, lines.join(''), 0o600);
    },
    async joinSwarm() {
      await head.run('docker', 'swarm', 'init', '--advertise-addr', head.address);
      const token = (await head.run('docker', 'swarm', 'join-token', '-q', 'worker')).trim();
      const manager = `${head.address}:${SWARM_PORT}`;
      for (const machine of machines.slice(1))
        await machine.run(
          ...(['docker', 'swarm', 'join', '--token', token] as const),
          ...['--advertise-addr', machine.address, manager],
        );
    },
  };
}

/** The head may log in everywhere, and knows the host keys. */
async function acquaint(bed: Omit<Bed, 'stop'>): Promise<void> {
  const { head, machines } = bed;
  await head.run('ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', `${INSIDE}/home/.ssh/id_ed25519`);
  const key = await head.read(`${INSIDE}/home/.ssh/id_ed25519.pub`);
  for (const machine of machines) await machine.authorize(key);
  await bed.trustHostKeys();
}

/** Each knows the names of all. */
async function introduce(machines: readonly Machine[]): Promise<void> {
  const [head] = machines;
  const lines = [
    '127.0.0.1 localhost',
    ...machines.map(
      ({ address, name }) => `${address} ${name}${name === head?.name ? ` ${SERVER_NAME}` : ''}`,
    ),
    '',
  ];
  for (const machine of machines) await machine.write('/etc/hosts', lines.join('\n'));
}

/** davit makes this image where it is missing; that the bed has it saves the time. */
async function giveHelper(machines: readonly Machine[], folder: string): Promise<void> {
  const file = join(folder, 'helper.tar');
  await command('docker', ['save', '-o', file, HELPER_IMAGE]);
  for (const machine of machines) {
    await command('cp', [file, join(machine.space.folder, 'helper.tar')]);
    await machine.run('docker', 'load', '-i', `${INSIDE}/helper.tar`);
  }
}
