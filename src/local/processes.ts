/** The processes of one machine, described for the supervisor. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Arch } from '../plan/model/ids.ts';
import type { Settings } from '../config.ts';
import { CODE_EXTENSION } from '../utils/code-extension.ts';
import { MachineProcess } from './process/machine-process.ts';
import { nodeEnvironment, SMALL_HEAP } from './process/memory.ts';
import { logPath, RANKS, startProcess, until, type ManagedProcess } from './process/managed-process.ts';
import { accepts } from './process/ports.ts';
import { responds } from './process/run-file.ts';
import { guardedStart } from './setup/temporal-database.ts';
import { TEMPORAL_MEMORY, temporalArguments } from './setup/temporal-server.ts';

const MAIN = join(import.meta.dirname, '..', 'cli', `main${CODE_EXTENSION}`);
const GRACE_MS = { temporal: 8_000, server: 8_000, worker: 15_000, machine: 23_000 };

/** Addresses and files that every davit process receives through its environment. */
export interface Addresses {
  server: string;
  /** That the server listens on. */
  port: number;
  temporal: string;
  registry: string;
  /** The same, if davit runs it. */
  ownRegistry?: string;
  helperImage: string;
  installationFile?: string;
}

export function temporalProcess(
  settings: Settings,
  options: { binary: Promise<string>; port: number; uiPort: number },
): ManagedProcess {
  const { port, uiPort } = options;
  const log = logPath(settings.home, 'temporal');
  return {
    name: 'temporal',
    log,
    rank: RANKS.base,
    start: async () =>
      startProcess({
        name: 'temporal',
        ...(await guardedStart(
          settings,
          await options.binary,
          temporalArguments({ home: settings.home, port, uiPort }),
        )),
        env: TEMPORAL_MEMORY,
        log,
        graceMs: GRACE_MS.temporal,
      }),
    // The caller that connects creates a missing namespace; loading the client for that would double this
    // process.
    ready: async (_running, signal) => {
      await until(() => accepts(port), signal);
      return `127.0.0.1:${port} (UI http://127.0.0.1:${uiPort})`;
    },
  };
}

export function serverProcess(settings: Settings, addresses: Addresses): ManagedProcess {
  const port = String(addresses.port);
  return {
    ...ownProcess(settings, addresses, {
      name: 'server',
      args: ['server', '--port', port],
      rank: RANKS.server,
    }),
    ready: async (_running, signal) => {
      await until(() => responds(`${addresses.server}/healthz`), signal);
      return addresses.server;
    },
  };
}

export const controlProcess = (settings: Settings, addresses: Addresses): ManagedProcess =>
  ownProcess(settings, addresses, { name: 'control', args: ['worker', '--control'], rank: RANKS.worker });

export const archProcess = (
  settings: Settings,
  addresses: Addresses,
  arch: { arch: Arch; emulated: boolean },
): ManagedProcess => {
  const config = ownConfig(settings);
  return ownProcess(settings, addresses, {
    name: `worker-${arch.arch}`,
    args: [
      ...['worker', '--arch', arch.arch],
      ...(arch.emulated ? ['--emulation'] : []),
      ...(config === undefined ? [] : ['--config', config]),
    ],
    rank: RANKS.worker,
    shows: arch.emulated ? 'emulated' : 'native',
  });
};

/** Server and workers in one process; `MachineProcess.serve` names the workers. */
export function machineProcess(settings: Settings, addresses: Addresses): MachineProcess {
  const port = String(addresses.port);
  const log = logPath(settings.home, 'davit');
  return new MachineProcess(addresses.server, {
    name: 'davit',
    program: process.execPath,
    args: [...SMALL_HEAP, MAIN, 'machine', '--port', port],
    env: environment(settings, addresses),
    log,
    graceMs: GRACE_MS.machine,
    own: true,
  });
}

/** The worker configuration of this machine, `HOME/worker.yml`, if it exists. */
export function ownConfig({ home }: Settings): string | undefined {
  const file = join(home, 'worker.yml');
  return existsSync(file) ? file : undefined;
}

export const deployProcess = (
  settings: Settings,
  addresses: Addresses,
  target: { name: string; permittedOnly: boolean },
): ManagedProcess =>
  ownProcess(settings, addresses, {
    name: `deploy-${target.name}`,
    args: ['worker', '--deploy', target.name, ...(target.permittedOnly ? ['--permitted-swarm'] : [])],
    rank: RANKS.worker,
  });

interface DavitProcess {
  name: string;
  args: string[];
  rank: number;
  shows?: string;
}

/** A davit command as a separate process, which reports when it is ready. */
function ownProcess(settings: Settings, addresses: Addresses, own: DavitProcess): ManagedProcess {
  const log = logPath(settings.home, own.name);
  return {
    name: own.name,
    log,
    rank: own.rank,
    start: () =>
      startProcess({
        name: own.name,
        program: process.execPath,
        args: [...SMALL_HEAP, MAIN, ...own.args],
        env: environment(settings, addresses),
        log,
        graceMs: own.rank === RANKS.server ? GRACE_MS.server : GRACE_MS.worker,
        own: true,
      }),
    ready: async (running) => {
      await running.readyReported;
      return own.shows;
    },
  };
}

const environment = (settings: Settings, addresses: Addresses): Record<string, string | undefined> => ({
  ...nodeEnvironment(settings),
  DAVIT_HOME: settings.home,
  DAVIT_CACHE: settings.cache,
  DAVIT_SERVER: addresses.server,
  DAVIT_REGISTRY: addresses.registry,
  DAVIT_OWN_REGISTRY: addresses.ownRegistry,
  DAVIT_HELPER_IMAGE: addresses.helperImage,
  DAVIT_CONFIG: addresses.installationFile,
  DAVIT_CA_FILE: settings.caFile,
  DOCKER_HOST: settings.dockerHost,
  DOCKER_CERT_PATH: settings.dockerCertPath,
  DAVIT_TOKEN: undefined,
  TEMPORAL_ADDRESS: addresses.temporal,
  TEMPORAL_NAMESPACE: settings.temporalNamespace,
});
