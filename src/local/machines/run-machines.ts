/** Runs the workers of several machines in one process: `davit worker --machine`. */
import type { Settings } from '../../config.ts';
import { messageOf } from '../../utils/message.ts';
import { onStop } from '../../../workers/parts/process.ts';
import { keepWorker } from '../machine/keep-worker.ts';
import { readMachine } from './record.ts';
import { runMachine } from './run-machine.ts';

export interface MachinesRun {
  settings: Settings;
  names: readonly string[];
  /** Called once the workers of every machine have taken tasks. */
  onReady(): void;
  log(text: string): void;
}

/**
 * Until SIGTERM or SIGINT. A machine that is away is tried again and disturbs no other. Rejects with `machine/unknown`, or
 * when the process has to be replaced by a new one.
 */
export async function runMachines({ settings, names, onReady, log }: MachinesRun): Promise<void> {
  await Promise.all(names.map((name) => readMachine(settings, name)));
  const stopping = new AbortController();
  const unlisten = onStop(undefined, () => stopping.abort());
  const { signal } = stopping;
  const missing = new Set(names);
  const keep = (name: string): Promise<void> => {
    const logged = (text: string): void => log(`${name}: ${text}`);
    const run: Parameters<typeof keepWorker>[0]['run'] = (hooks) =>
      runMachine({ settings, name, log: logged, ...hooks });
    return keepWorker(
      { name, run },
      {
        signal,
        onReady: () => {
          if (missing.delete(name) && missing.size === 0) onReady();
        },
        onFailure: (_, error) => logged(`${messageOf(error)} It is started again.`),
      },
    );
  };
  try {
    const ends = await Promise.allSettled(
      [...missing].map((name) => keep(name).finally(() => stopping.abort())),
    );
    for (const end of ends) if (end.status === 'rejected') throw end.reason;
  } finally {
    unlisten();
  }
}
