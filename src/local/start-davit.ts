/** davit's own part of `davit up`: server and workers, in one process or in a process each. */
import type { Settings } from '../config.ts';
import type { Arch } from '../plan/model/ids.ts';
import { type WorkerSpec, workerName } from './machine/messages.ts';
import type { Progress } from './process/progress.ts';
import type { Supervisor } from './process/supervisor.ts';
import {
  type Addresses,
  archPart,
  controlPart,
  deployPart,
  machinePart,
  ownConfig,
  serverPart,
} from './processes.ts';

export interface DavitStart {
  settings: Settings;
  addresses: Addresses;
  parts: Supervisor;
  progress: Progress;
}
/** Known later than the rest can start. */
export interface WantedWorkers {
  arches: Promise<{ arch: Arch; emulated: boolean }[]>;
  targets: Promise<string[]>;
}

/** What an installation on one machine runs: the least memory. */
export async function startMachine(start: DavitStart, wanted: WantedWorkers): Promise<void> {
  const { settings, addresses, parts, progress } = start;
  const machine = machinePart(settings, addresses);
  const server = parts.add(machine.part);
  const serve = async (worker: WorkerSpec, detail = ''): Promise<void> => {
    await server;
    // An `up` that is ended meanwhile has no process that could serve it, and says so itself.
    if (parts.stopping) return;
    const work = async (): Promise<void> => {
      try {
        await machine.serve(worker);
      } catch (error) {
        if (!parts.stopping) throw error; // a start that was cut short is no news
      }
    };
    await progress.step(workerName(worker), work, () => (parts.stopping ? undefined : detail));
  };
  await Promise.all([
    server,
    serve({ kind: 'control' }),
    wanted.arches.then(async (found) => {
      if (found.length === 0) return;
      const arches = found.map(({ arch }) => arch);
      const emulated = found.filter((one) => one.emulated).map(({ arch }) => arch);
      await serve(
        { kind: 'arch', arches, emulation: emulated.length > 0, configFile: ownConfig(settings) },
        emulated.length > 0 ? `emulated: ${emulated.join(', ')}` : 'native',
      );
    }),
    wanted.targets.then((targets) => Promise.all(targets.map((target) => serve({ kind: 'deploy', target })))),
  ]);
}

/** What an installation on several machines runs. */
export async function startSeparate(start: DavitStart, wanted: WantedWorkers): Promise<void> {
  const { settings, addresses, parts } = start;
  await Promise.all([
    parts.add(serverPart(settings, addresses)),
    parts.add(controlPart(settings, addresses)),
    wanted.arches.then((found) =>
      Promise.all(found.map((one) => parts.add(archPart(settings, addresses, one)))),
    ),
    wanted.targets.then((targets) =>
      Promise.all(targets.map((name) => parts.add(deployPart(settings, addresses, name)))),
    ),
  ]);
}
