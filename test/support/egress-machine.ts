/** Jobs of an attacker that look for open ports, on an engine in a network without a way out. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeApitest } from '../../activities/job/apitest.ts';
import type { RunInput } from '../../activities/contract.ts';
import { makeRunJob } from '../../activities/job/run-job.ts';
import { installationSchema, workerSchema } from '../../src/installation.ts';
import { isDigest } from '../../src/plan/model/ids.ts';
import type { JobResult } from '../../src/plan/model/outcome.ts';
import type { ApitestSpec } from '../../src/plan/model/spec.ts';
import { guardEgress, type EgressGuard } from '../../workers/parts/egress.ts';
import { HELPER, JobBench } from './job-bench.ts';
import { startBoard } from './ssh-board.ts';
import {
  PORTS,
  startEnclosedEngine,
  WORLD,
  WORLD_6,
  type EnclosedEngine,
  type EnclosedOptions,
} from './enclosed-engine.ts';

const SERVER = `${WORLD.machine}:${PORTS.server}`;
export const REGISTRY = `${WORLD.machine}:${PORTS.registry}`;
const INTERNET = `${WORLD.internet}:${PORTS.web}`;
/** Not all, and among them every port that somebody listens on. */
const CANDIDATES = [22, 80, 2375, 5000, 5001, 7233, 8080, 8233, 8420, 9000];

/** Prints `open ADDRESS:PORT` for each that takes a connection; `$gateway` is the job's own. */
export const scan = (addresses: readonly string[]): string[] => [
  `gateway=$({ ip route; ip -6 route; } | sed -n 's/^default via \\([0-9a-f.:]*\\).*/\\1/p')`,
  `for address in ${addresses.join(' ')} $gateway; do for port in ${CANDIDATES.join(' ')}; do
    ( nc -w 2 $address $port -e true 2>/dev/null && echo "open $address:$port" ) &
  done; done; wait`,
];

export interface Machine {
  box: EnclosedEngine;
  bench: JobBench;
  guard: EgressGuard;
  stop(): Promise<void>;
}
export const facts = (bench: JobBench) => ({
  installation: bench.installation,
  url: `http://${SERVER}`,
  config: {
    ...installationSchema.parse({ registries: [{ host: REGISTRY, insecure: true }] }),
    helper_image: HELPER,
  },
});

export interface MachineOptions extends EnclosedOptions {
  /** Its worker reaches the engine over ssh. */
  ssh?: boolean;
}

export async function startMachine(
  { ssh, ...options }: MachineOptions,
  worker: Record<string, unknown> = {},
): Promise<Machine> {
  const box = await startEnclosedEngine(options);
  const board = ssh ? await startBoard(box.address.slice('unix://'.length)) : undefined;
  const bench = await JobBench.open(board ?? { address: box.address });
  const guard = guardEgress({
    engine: bench.engine,
    facts: facts(bench),
    config: workerSchema.parse(worker),
    ensureHelper: async () => undefined,
  });
  const stop = async (): Promise<void> => {
    await guard.stop();
    await bench.close();
    await board?.stop();
    await box.stop();
  };
  return { box, bench, guard, stop };
}

export const NEIGHBOURS = [
  ...[WORLD.machine, WORLD.privateHost, WORLD.metadata, WORLD.internet],
  ...Object.values(WORLD_6),
  // The bridge of the engine's own network, and the first container on it.
  ...['172.17.0.1', '172.17.0.2'],
];

/** Runs a job to its end, as a worker of that machine does. */
async function ran(
  { bench, guard }: Machine,
  ...what: Parameters<JobBench['input']>
): Promise<{ result: JobResult; log: string }> {
  const input = await bench.input(...what);
  const deps = { ...bench.deps(), egressProblem: guard.problem };
  const run = input.kind === 'apitest' ? makeApitest(deps) : makeRunJob(deps);
  const result: JobResult = await bench.environment().run(run, input);
  return { result, log: bench.log(input) };
}

/** What a job finds open. */
export async function found(
  machine: Machine,
  ...[spec, ...more]: Partial<Parameters<JobBench['input']>>
): Promise<string[]> {
  const { result, log } = await ran(machine, { script: scan(NEIGHBOURS), ...spec }, ...more);
  if (result.outcome !== 'succeeded') throw new Error(`${JSON.stringify(result)}\n${log}`);
  return [...log.matchAll(/^open (\S+)$/gm)].map(([, at = '']) => at).sort();
}

/** Looks for open ports, then serves what it found on port 8000. */
const SCANNER = [
  'sh',
  '-c',
  `mkdir -p /www; { ${scan(NEIGHBOURS).join('; ')}; } >/www/index.html; httpd -f -p 8000 -h /www`,
];

/** An image in the registry of the machine that runs the scanner. */
async function pushedScanner({ box }: Machine): Promise<RunInput['images'][number]> {
  const repository = `127.0.0.1:${PORTS.registry}/tested`;
  const docker = (...args: string[]) => box.run('docker', '-H', box.address, ...args);
  await docker('create', '--name', 'scanner', HELPER, ...SCANNER);
  await docker('commit', 'scanner', `${repository}:1`);
  const digest = /digest: (sha256:[0-9a-f]{64})/.exec(await docker('push', `${repository}:1`))?.[1] ?? '';
  if (!isDigest(digest)) throw new Error('no digest');
  const platform = { os: 'linux', architecture: 'amd64' } as const;
  return { job: 'build: [amd64]', image: { repository, digest, platform, sizeBytes: 1 } };
}

const idle = {
  name: HELPER,
  pullPolicy: 'if-not-present' as const,
  aliases: ['idle'],
  variables: [],
  command: ['sleep', '60'],
};

/** The address that a running job has printed. */
async function firstAddress({ bench }: Machine): Promise<string> {
  const log = (): string => [...bench.logs.logs.values()].map(({ bytes }) => bytes.toString()).join('');
  const told = (): string | undefined => /^at ((?:\d+\.){3}\d+)/m.exec(log())?.[1];
  await expect.poll(told, { timeout: 20_000 }).toBeTruthy();
  return told() ?? '';
}

/** The job's own ports on its gateway are those of the machine. */
export const REACHABLE = [INTERNET, `${WORLD.internet}:8080`, REGISTRY, SERVER].sort();
const REACHABLE_6 = [...REACHABLE, `${WORLD_6.internet}:${PORTS.web}`, `${WORLD_6.internet}:8080`].sort();

export interface MachineKind {
  program: 'nft' | 'iptables';
  options?: MachineOptions;
  /** Its networks have IPv6. */
  ipv6?: boolean;
}
/** The tests of one kind of machine. `programs` are folders that are put before PATH. */
export function findsNoMore({ program, options, ipv6 }: MachineKind, programs: readonly string[]): void {
  const reachable = ipv6 ? REACHABLE_6 : REACHABLE;
  let machine: Machine;
  beforeAll(async () => {
    machine = await startMachine({ ...options, programs });
    // A container of somebody else, with a port that its engine publishes.
    const docker = (...args: string[]) => machine.box.run('docker', '-H', machine.box.address, ...args);
    await docker('run', '-d', '-p', '9000:9000', HELPER, 'httpd', '-f', '-p', '9000');
  });
  afterAll(() => machine?.stop());

  test('a script finds the server, the registry and the internet', async () => {
    expect(await machine.guard.problem()).toBeUndefined();
    expect(await found(machine)).toEqual(reachable);
    expect(await found(machine, { fork: true, protectedRef: false })).toEqual(reachable);
    const rules = await machine.box.run(
      'sh',
      '-c',
      program === 'nft' ? 'nft list tables' : 'iptables -t mangle -S',
    );
    expect(rules).toContain('davit_');
  });

  test('a service finds the same, and its job finds the service', async () => {
    const service = { ...idle, aliases: ['scanner'], command: SCANNER };
    const script = ['until wget -q -O - http://scanner:8000/; do sleep 1; done'];
    expect(await found(machine, { services: [service], script })).toEqual(reachable);
  });

  test('an API test finds the same, and the container that it tests', async () => {
    const apitest: Partial<ApitestSpec> = {
      kind: 'apitest',
      arch: 'amd64',
      imageFrom: 'build',
      network: 'job',
      host: 'table',
      port: 8000,
      ready: { timeoutMs: 30_000 },
      env: [],
    };
    const images = [await pushedScanner(machine)];
    expect(await found(machine, apitest, { images })).toEqual(reachable);
    const tested = { ...apitest, script: ['wget -q -O - http://table:8000/'] };
    expect(await found(machine, tested, { images })).toEqual(reachable);
  });

  test('a job finds no other job', async () => {
    const other = ran(machine, {
      script: ['echo "at $(hostname -i)"', 'timeout 12 httpd -f -p 8080 || true'],
      services: [idle],
    });
    const address = await firstAddress(machine);
    const script = scan([address]);
    expect(await found(machine, { script })).toEqual([]);
    expect(await found(machine, { script, services: [idle] })).toEqual([]);
    await other;
  });

  test('after a restart of the machine a job finds no more than before', async () => {
    await machine.bench.settled();
    await machine.box.restartMachine();
    expect(await found(machine)).toEqual(reachable);
  });
}
