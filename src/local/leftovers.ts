/** Parts of an `up` that was killed: they would hold ports, the database, and queues. */
import type { Settings } from '../config.ts';
import { endProcess, isSame } from './command.ts';
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
