/** A bed with davit and a worker for each of its machines: what most tests of a fleet begin with. */
import { join } from 'node:path';
import type { Arch } from '../../../src/plan/model/ids.ts';
import type { PipelineStatus } from '../../../src/plan/model/protocol.ts';
import { findPart } from '../../parts/part.ts';
import { basePackagesPart } from '../../parts/bed.ts';
import { ROOT } from '../../support/source.ts';
import { startBed, type Bed, type BedOptions } from './bed.ts';
import { BedDavit, HOME, type FleetWorker } from './installation.ts';
import { INTERNET } from './lan.ts';
import type { Machine } from './machine.ts';
import { INSIDE } from './space.ts';

/** Machines and the architecture that each serves. */
export type Machines = Readonly<Record<string, Arch>>;
/**
 * One architecture for each. The bed lies on one real machine, so some are emulated: their workers get `--emulation`, as
 * the operator of such a machine would give it.
 */
export const BOARDS = { head: 'amd64', board64: 'arm64', board32: 'arm32' } as const satisfies Machines;
const HEAD = 'head';
const TLS_PORT = 2376;

export interface Fleet {
  bed: Bed;
  davit: BedDavit;
  /** The worker of a machine. */
  worker(name: string): FleetWorker;
  /** Over ssh, if the machine is not the head. */
  startWorker(name: string): Promise<void>;
  startTlsWorker(name: string): Promise<void>;
  /** Makes the base image of the examples by its own pipeline. */
  makeBase(): Promise<void>;
  stop(): Promise<void>;
}

export interface FleetOptions {
  /** There is always a head; it has a worker only if it is named here. */
  machines?: Machines;
  /** Machines without a worker. */
  more?: readonly string[];
  /** Joins them, and starts a worker that deploys. */
  swarm?: boolean;
  /** Their engines are reached by TLS too: `byTls`. */
  tls?: boolean;
  /** More of the installation file. */
  config?: Readonly<Record<string, unknown>>;
  disks?: BedOptions['disks'];
}

export async function startFleet(options: FleetOptions = {}): Promise<Fleet> {
  const machines: Machines = options.machines ?? BOARDS;
  const boards = [...Object.keys(machines).filter((name) => name !== HEAD), ...(options.more ?? [])];
  const bed = await startBed({ machines: [HEAD, ...boards], ...(options.disks && { disks: options.disks }) });
  try {
    if (options.swarm) await bed.joinSwarm();
    const davit = await BedDavit.start(bed, options.config);
    const tls = new Map<string, TlsEngine>();
    if (options.tls) for (const name of boards) tls.set(name, await openByTls(davit, bed.machine(name)));
    const workers = new Map<string, FleetWorker>();
    const startWorker = async (name: string): Promise<void> => {
      const how = name === HEAD ? [] : ['--docker', bed.machine(name).ssh, '--emulation'];
      workers.set(name, await davit.worker(name, ['--arch', machines[name] ?? 'amd64', ...how]));
    };
    await Promise.all([
      ...Object.keys(machines).map((name) => startWorker(name)),
      ...(options.swarm ? [davit.worker('deploy', ['--deploy', 'local-swarm'])] : []),
    ]);
    return {
      bed,
      davit,
      startWorker,
      worker(name) {
        const found = workers.get(name);
        if (!found) throw new Error(`No worker of ${name}.`);
        return found;
      },
      async startTlsWorker(name) {
        const engine = tls.get(name);
        if (!engine) throw new Error(`${name} is not reached by TLS.`);
        const args = ['--arch', machines[name] ?? 'amd64', '--docker', engine.address, '--emulation'];
        workers.set(name, await davit.worker(`${name}-tls`, args, { DOCKER_CERT_PATH: engine.certPath }));
      },
      makeBase: () => makeBase(bed, davit),
      stop: () => bed.stop(),
    };
  } catch (error) {
    const said = await bed.head.run('sh', '-c', `tail -n 5 ${INSIDE}/*.log 2>/dev/null || true`);
    await bed.stop();
    throw new Error(`The fleet did not start:\n${said}`, { cause: error });
  }
}

async function makeBase(bed: Bed, davit: BedDavit): Promise<void> {
  await bed.lan.serve((await findPart(basePackagesPart)) ?? '');
  const base = await davit.project(join(ROOT, 'examples', 'base'));
  const done = await davit.pipeline(base, ['--var', `DEBIAN_MIRROR=http://${INTERNET}/debian`]);
  if (done.state !== 'success') throw new Error(`The base image was not made: ${failures(done).join('; ')}`);
}

export interface TlsEngine {
  address: string;
  /** For DOCKER_CERT_PATH. */
  certPath: string;
}

/**
 * Opens a machine's engine for clients with a certificate of davit's authority, and restarts it. `host`: the name
 * in its certificate.
 */
export async function openByTls(davit: BedDavit, machine: Machine, host = machine.name): Promise<TlsEngine> {
  const out = `${HOME}/engines/${machine.name}`;
  await davit.done(['ca', 'issue', 'engine', '--for', 'server', '--host', host, '--out', out]);
  await davit.done(['ca', 'issue', 'client', '--for', 'worker', '--out', out]);
  const file = (name: string): Promise<string> => davit.head.read(`${out}/${name}`);
  const authority = await davit.head.read(`${HOME}/ca/ca.crt`);
  const theirs = '/etc/docker/tls';
  await machine.write(`${theirs}/ca.pem`, authority);
  await machine.write(`${theirs}/cert.pem`, await file('engine.crt'));
  await machine.write(`${theirs}/key.pem`, await file('engine.key'), 0o600);
  await davit.head.write(`${out}/ca.pem`, authority);
  await davit.head.write(`${out}/cert.pem`, await file('client.crt'));
  await davit.head.write(`${out}/key.pem`, await file('client.key'), 0o600);
  await machine.stopEngine();
  await machine.startEngine({
    args: [
      ...['-H', `tcp://0.0.0.0:${TLS_PORT}`, '--tlsverify', `--tlscacert=${theirs}/ca.pem`],
      ...[`--tlscert=${theirs}/cert.pem`, `--tlskey=${theirs}/key.pem`],
    ],
  });
  return { certPath: out, address: `tcp://${machine.name}:${TLS_PORT}` };
}

/** What did not succeed, and why. */
export const failures = ({ jobs }: Pick<PipelineStatus, 'jobs'>): string[] =>
  jobs
    .filter(({ outcome }) => outcome !== 'succeeded')
    .map(({ key, outcome, result }) => `${key}: ${outcome} ${result?.message ?? ''}`);
