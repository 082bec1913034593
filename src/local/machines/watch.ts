/**
 * Keeps a process at the machines that `davit worker add` has written, without a restart: a new record starts a worker, a
 * changed one restarts it, a removed one ends it.
 */
import { watch } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import type { Settings } from '../../config.ts';
import { withErrorListener } from '../../utils/error-listener.ts';
import { listMachines, machinesFolder, type MachineRecord } from './record.ts';

/** A record is renamed into its place: several events, one change. */
const SETTLE_MS = 100;

export interface MachineWatch {
  /** The machines whose workers are its own. */
  runs: MachineRecord['runs'];
  start(name: string): void;
  end(name: string): void;
}

/** Calls `start` for every machine that is there, until the signal ends the watch. */
export async function watchMachines(
  settings: Pick<Settings, 'home'>,
  signal: AbortSignal,
  on: MachineWatch,
): Promise<void> {
  const running = new Map<string, number>();
  const look = async (): Promise<void> => {
    const found = (await listMachines(settings)).filter((one) => one.runs === on.runs);
    if (signal.aborted) return;
    const now = new Map(found.map(({ name, changedAt }) => [name, changedAt]));
    for (const [name, since] of running)
      if (now.get(name) !== since) {
        running.delete(name);
        on.end(name);
      }
    for (const [name, since] of now)
      if (!running.has(name)) {
        running.set(name, since);
        on.start(name);
      }
  };
  const folder = machinesFolder(settings);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  let turn = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;
  const watcher = withErrorListener(watch(folder, { signal }));
  watcher.on('change', () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      turn = turn.then(look);
    }, SETTLE_MS);
    timer.unref();
  });
  turn = turn.then(look);
  await turn;
}
