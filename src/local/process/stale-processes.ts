/** Parts of an `up` that was killed: they would hold ports, the database, and queues. */
import type { Engine } from '../../adapters/ports.ts';
import type { Settings } from '../../config.ts';
import { DavitError } from '../../errors.ts';
import { endProcess, isSame } from './exec.ts';
import { readRunFile, removeRunFile } from './run-file.ts';

const GRACE_MS = 10_000;

/** Ends them: those very processes, because a process id alone may be another program's by now. */
export async function endLeftovers(settings: Settings): Promise<number> {
  const last = await readRunFile(settings);
  const ours: number[] = [];
  for (const { pid, mark } of last?.processes ?? []) if (await isSame(pid, mark)) ours.push(pid);
  await Promise.all(ours.map((pid) => endProcess(pid, GRACE_MS)));
  await removeRunFile(settings);
  return ours.length;
}

/**
 * The networks of an installation that ends. An engine has address pools for about thirty, so none is left idle; one that a
 * job still runs on is refused by the engine and stays, and the next worker makes a missing one again.
 */
export async function removeIdleNetworks(
  engine: Pick<Engine, 'listNetworks' | 'removeNetwork'>,
  installation: string,
): Promise<void> {
  try {
    const networks = await engine.listNetworks({ 'davit.installation': installation });
    await Promise.allSettled(networks.map((network) => engine.removeNetwork(network.name)));
  } catch (error) {
    // The engine is away: what is left is taken up by the next start.
    if (!(error instanceof DavitError)) throw error;
  }
}
