/** Parts of an `up` that was killed: they would hold ports, the database, and queues. */
import type { Settings } from '../config.ts';
import { commandLineOf, endProcess } from './command.ts';
import { readRunFile, removeRunFile } from './run-file.ts';

const GRACE_MS = 10_000;

/** Ends them, where they are ours by their command line: a process id alone may be another program's by now. */
export async function endLeftovers(settings: Settings): Promise<number> {
  const last = await readRunFile(settings);
  const ours: number[] = [];
  for (const { pid } of last?.processes ?? []) {
    const line = await commandLineOf(pid);
    if (line && (line.includes(settings.home) || line.includes('src/cli/main.ts'))) ours.push(pid);
  }
  await Promise.all(ours.map((pid) => endProcess(pid, GRACE_MS)));
  await removeRunFile(settings);
  return ours.length;
}
