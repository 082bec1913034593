/**
 * Runs the workers of all machines of a home in one process, as `davit up` does, without a server of its own: `davit worker
 * --machines`. Machines that are added, changed or removed meanwhile count at once.
 */
import type { Settings } from '../../config.ts';
import { messageOf } from '../../utils/message.ts';
import { onStop } from '../../../workers/parts/process.ts';
import { keepWorker } from '../machine/keep-worker.ts';
import { lockOwner, takeLock } from '../process/lock.ts';
import { machinesFolder } from './record.ts';
import { runMachine } from './run-machine.ts';
import { watchMachines } from './watch.ts';

export interface MachinesService {
  settings: Settings;
  /** Called once it looks for machines; one that is away is tried again. */
  onReady(): void;
  log(text: string): void;
}

/** Some process of this machine does it for this home. */
export const isServed = async (settings: Pick<Settings, 'home'>): Promise<boolean> =>
  (await lockOwner(machinesFolder(settings))) !== undefined;

/** Until SIGTERM or SIGINT. Rejects with `local/already-up`, or when the process has to be replaced by a new one. */
export async function serveMachines({ settings, onReady, log }: MachinesService): Promise<void> {
  const release = await takeLock(machinesFolder(settings));
  const stopping = new AbortController();
  const unlisten = onStop(undefined, () => stopping.abort());
  const over = Promise.withResolvers<void>();
  stopping.signal.addEventListener('abort', () => over.resolve(), { once: true });
  const running = new Map<string, { end: AbortController; ended: Promise<void> }>();
  const start = (name: string): void => {
    const logged = (text: string): void => log(`${name}: ${text}`);
    const end = new AbortController();
    const before = running.get(name)?.ended ?? Promise.resolve();
    const run: Parameters<typeof keepWorker>[0]['run'] = (hooks) =>
      runMachine({ settings, name, log: logged, ...hooks });
    const options = {
      signal: AbortSignal.any([stopping.signal, end.signal]),
      onReady: () => logged('takes jobs'),
      onFailure: (_: string, error: unknown) => logged(`${messageOf(error)} It is started again.`),
    };
    const ended = before.then(() => keepWorker({ name, run }, options));
    running.set(name, { end, ended: ended.catch((error: unknown) => over.reject(error)) });
  };
  try {
    await watchMachines(settings, stopping.signal, {
      runs: 'command',
      start,
      end: (name) => running.get(name)?.end.abort(),
    });
    onReady();
    await over.promise;
  } finally {
    stopping.abort();
    unlisten();
    await Promise.all([...running.values()].map(({ ended }) => ended));
    await release();
  }
}
