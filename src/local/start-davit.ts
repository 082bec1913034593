/** davit's own part of `davit up`: server and workers, in one process or in a process each. */
import type { Settings } from '../config.ts';
import type { Arch } from '../plan/model/ids.ts';
import { messageOf } from '../utils/message.ts';
import { type WorkerSpec, workerName } from './machine/messages.ts';
import { type MachineWatch, watchMachines } from './machines/watch.ts';
import type { MachineProcess } from './process/machine-process.ts';
import type { Progress } from './process/progress.ts';
import type { Supervisor } from './process/supervisor.ts';
import {
  type Addresses,
  archProcess,
  controlProcess,
  deployProcess,
  machineProcess,
  ownConfig,
  serverProcess,
} from './processes.ts';

export interface DavitStart {
  settings: Settings;
  addresses: Addresses;
  supervisor: Supervisor;
  progress: Progress;
}
/** Known later than the rest can start. */
export interface WantedWorkers {
  arches: Promise<{ arch: Arch; emulated: boolean }[]>;
  targets: Promise<string[]>;
  /** The target that is this machine's engine, whose swarm is used only if davit made it or a person has allowed it. */
  ownSwarm?: string;
}

/** What an installation on one machine runs: the least memory. */
export async function startMachine(start: DavitStart, wanted: WantedWorkers): Promise<void> {
  const { settings, addresses, supervisor, progress } = start;
  const machine = machineProcess(settings, addresses);
  const server = supervisor.add(machine.process);
  const serve = async (worker: WorkerSpec, detail = ''): Promise<void> => {
    await server;
    // An `up` that is ended meanwhile has no process for it, and reports that itself.
    if (supervisor.stopping) return;
    const work = async (): Promise<void> => {
      try {
        await machine.serve(worker);
      } catch (error) {
        if (!supervisor.stopping) throw error; // an aborted start is not reported
      }
    };
    await progress.step(workerName(worker), work, () => (supervisor.stopping ? undefined : detail));
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
    server.then(() => watchMachines(settings, supervisor.stopped, addedMachines(machine, progress))),
    wanted.targets.then((targets) =>
      Promise.all(
        targets.map((target) =>
          serve({ kind: 'deploy', target, ...(target === wanted.ownSwarm && { permittedOnly: true }) }),
        ),
      ),
    ),
  ]);
}

/** A board may be off: nothing waits for it, and its worker is tried again until it is there. */
const addedMachines = (machine: MachineProcess, progress: Progress): MachineWatch => ({
  runs: 'up',
  start: (name) =>
    void machine.serve({ kind: 'machine', name }).then(
      () => progress.note(`machine ${name} takes jobs`),
      (error: unknown) => progress.note(`machine ${name}: ${messageOf(error)} It is tried again.`),
    ),
  end: (name) => {
    machine.dismiss({ kind: 'machine', name });
    progress.note(`machine ${name}: its worker ends`);
  },
});

/** The processes of an installation on several machines. */
export async function startSeparate(start: DavitStart, wanted: WantedWorkers): Promise<void> {
  const { settings, addresses, supervisor } = start;
  await Promise.all([
    supervisor.add(serverProcess(settings, addresses)),
    supervisor.add(controlProcess(settings, addresses)),
    wanted.arches.then((found) =>
      Promise.all(found.map((one) => supervisor.add(archProcess(settings, addresses, one)))),
    ),
    wanted.targets.then((targets) =>
      Promise.all(
        targets.map((name) =>
          supervisor.add(
            deployProcess(settings, addresses, { name, permittedOnly: name === wanted.ownSwarm }),
          ),
        ),
      ),
    ),
  ]);
}
