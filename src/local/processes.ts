/** The processes of one machine, as parts for the supervisor. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Arch } from '../plan/model/ids.ts';
import type { Settings } from '../config.ts';
import { MachineProcess } from './process/machine-process.ts';
import { nodeEnvironment, SMALL_HEAP } from './process/memory.ts';
import { logPath, RANKS, startProcess, until, type Part } from './process/managed-process.ts';
import { accepts } from './process/ports.ts';
import { answers } from './process/run-file.ts';
import { guardedStart } from './setup/temporal-database.ts';
import { TEMPORAL_MEMORY, temporalArguments } from './setup/temporal-server.ts';

const MAIN = join(import.meta.dirname, '..', 'cli', 'main.ts');
const GRACE_MS = { temporal: 8_000, server: 8_000, worker: 15_000, machine: 23_000 };

/** Where everything is, as told to every process of ours by its environment. */
export interface Addresses {
  server: string;
  temporal: string;
  registry: string;
  helperImage: string;
  installationFile?: string;
}

export function temporalPart(
  settings: Settings,
  options: { binary: Promise<string>; port: number; uiPort: number },
): Part {
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
    // Whoever connects makes the namespace where it is missing; loading the client for that would double this process.
    ready: async (_running, signal) => {
      await until(() => accepts(port), signal);
      return `127.0.0.1:${port} (UI http://127.0.0.1:${uiPort})`;
    },
  };
}

export function serverPart(settings: Settings, addresses: Addresses): Part {
  const port = new URL(addresses.server).port;
  return {
    ...ownPart(settings, addresses, { name: 'server', args: ['server', '--port', port], rank: RANKS.server }),
    ready: async (_running, signal) => {
      await until(() => answers(`${addresses.server}/healthz`), signal);
      return addresses.server;
    },
  };
}

export const controlPart = (settings: Settings, addresses: Addresses): Part =>
  ownPart(settings, addresses, { name: 'control', args: ['worker', '--control'], rank: RANKS.worker });

export const archPart = (
  settings: Settings,
  addresses: Addresses,
  arch: { arch: Arch; emulated: boolean },
): Part => {
  const config = ownConfig(settings);
  return ownPart(settings, addresses, {
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

/** Server and workers in one process; which workers, `MachineProcess.serve` says. */
export function machinePart(settings: Settings, addresses: Addresses): MachineProcess {
  const port = new URL(addresses.server).port;
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

/** What this machine's workers may give to jobs: `HOME/worker.yml`, where there is one. */
export function ownConfig({ home }: Settings): string | undefined {
  const file = join(home, 'worker.yml');
  return existsSync(file) ? file : undefined;
}

export const deployPart = (settings: Settings, addresses: Addresses, target: string): Part =>
  ownPart(settings, addresses, {
    name: `deploy-${target}`,
    args: ['worker', '--deploy', target],
    rank: RANKS.worker,
  });

interface Own {
  name: string;
  args: string[];
  rank: number;
  shows?: string;
}

/** A command of davit as a process of its own; it says by itself when it is ready. */
function ownPart(settings: Settings, addresses: Addresses, own: Own): Part {
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
      await running.saidReady;
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
  DAVIT_HELPER_IMAGE: addresses.helperImage,
  DAVIT_CONFIG: addresses.installationFile,
  DAVIT_TOKEN: undefined,
  TEMPORAL_ADDRESS: addresses.temporal,
  TEMPORAL_NAMESPACE: settings.temporalNamespace,
});
