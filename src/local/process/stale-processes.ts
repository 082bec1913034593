/** Cleans up after a killed `up`, whose processes would hold ports, the database and queues. */
import type { Engine } from '../../adapters/ports.ts';
import type { Settings } from '../../config.ts';
import { DavitError } from '../../errors.ts';
import { endProcess, isSame } from './exec.ts';
import { readRunFile, removeRunFile } from './run-file.ts';

const GRACE_MS = 10_000;

/** Stops them, identified by id and start time, because another program may have reused an id. */
export async function stopStaleProcesses(settings: Settings): Promise<number> {
  const last = await readRunFile(settings);
  const ours: number[] = [];
  for (const { pid, mark } of last?.processes ?? []) if (await isSame(pid, mark)) ours.push(pid);
  await Promise.all(ours.map((pid) => endProcess(pid, GRACE_MS)));
  await removeRunFile(settings);
  return ours.length;
}

/**
 * Removes idle networks of an installation that stops: an engine has address pools for only about thirty. The
 * engine keeps networks that jobs still use, and the next worker creates missing ones.
 */
export async function removeIdleNetworks(
  engine: Pick<Engine, 'listNetworks' | 'removeNetwork'>,
  installation: string,
): Promise<void> {
  try {
    const networks = await engine.listNetworks({ 'davit.installation': installation });
    await Promise.allSettled(networks.map((network) => engine.removeNetwork(network.name)));
  } catch (error) {
    // The engine is unreachable: the next start handles what is left.
    if (!(error instanceof DavitError)) throw error;
  }
}
