/**
 * Removes leftovers of jobs from an engine.
 *
 * Invariants:
 *  JAN-1 Only objects with `davit.job.*` labels of its own installation and the name that davit gives them;
 *        never a foreign one, never a swarm service's, whatever labels its image has.
 *  JAN-2 Only of a workflow run that Temporal reports as closed, asked twice, and older than `minAgeMs`.
 *        Pending activities are not considered: there are none between a timeout and a resume. No answer
 *        means keep. Ages use the engine's own clock, which has set the objects' times: a worker's clock may
 *        be wrong.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { removeObjects } from '../../activities/job/container/cleanup.ts';
import { attemptOf, LABELS } from '../../activities/runtime/container-names.ts';
import type { Engine, WorkflowLookup } from '../../src/adapters/ports.ts';
import { sweepFolders } from '../../src/adapters/temp.ts';

const ASK_AGAIN_MS = 2_000;

export interface Janitor {
  engine: Engine;
  installation: string;
  workflows: WorkflowLookup;
  /** Younger objects are left alone. */
  minAgeMs: number;
  everyMs: number;
  /** Tests: shorter. */
  askAgainMs?: number;
  /** Returns what would be removed, and removes nothing. */
  dryRun?: boolean;
}

/** One round. Returns the runs whose objects it removed; rejects if the engine does not answer. */
export async function sweep(janitor: Janitor): Promise<string[]> {
  const { engine, installation } = janitor;
  const labels = { [LABELS.installation]: installation };
  const [containers, volumes, networks] = await Promise.all([
    engine.listContainers(labels),
    engine.listVolumes(labels),
    engine.listNetworks(labels),
  ]);
  const found = [...containers, ...volumes, ...networks].filter((one) => attemptOf(one));
  if (found.length === 0) return [];
  const before = (await engine.info()).time - janitor.minAgeMs;
  const runs = new Map<string, { workflowId: string; runId: string }>();
  const young = new Set<string>();
  for (const one of found) {
    const of = attemptOf(one);
    if (!of || of.installation !== installation) continue;
    runs.set(of.runId, { workflowId: of.workflowId, runId: of.runId });
    if (one.createdAt > before) young.add(of.runId);
  }
  const ends = await Promise.allSettled(
    [...runs.values()]
      .filter(({ runId }) => !young.has(runId))
      .map(async (run) => ((await isOver(janitor, run)) ? [await removeRun(janitor, run)] : [])),
  );
  // An object that is in use does not protect the others: it is reported after the rest is removed.
  const failed = ends.find((end) => end.status === 'rejected');
  if (failed) throw failed.reason;
  return ends.flatMap((end) => (end.status === 'fulfilled' ? end.value : []));
}

async function isOver(janitor: Janitor, run: { workflowId: string; runId: string }): Promise<boolean> {
  const ask = (): Promise<boolean> =>
    janitor.workflows.isClosed(run.workflowId, run.runId).catch(() => false); // no answer means keep
  if (!(await ask())) return false;
  await delay(janitor.askAgainMs ?? ASK_AGAIN_MS);
  return ask();
}

async function removeRun(
  { engine, installation, dryRun }: Janitor,
  run: { workflowId: string; runId: string },
): Promise<string> {
  if (dryRun) return run.runId;
  const labels = {
    [LABELS.installation]: installation,
    [LABELS.workflow]: run.workflowId,
    [LABELS.run]: run.runId,
  };
  await removeObjects(engine, { labels });
  return run.runId;
}

/**
 * Repeats rounds until stopped, also for this machine's temporary folders; failures are reported to `trouble`
 * and retried.
 */
export function runJanitor(janitor: Janitor, trouble: (error: unknown) => void): { stop(): Promise<void> } {
  const over = new AbortController();
  const rounds = (async () => {
    while (!over.signal.aborted) {
      await delay(janitor.everyMs, undefined, { signal: over.signal }).catch(() => undefined); // stopped
      if (!over.signal.aborted) await Promise.all([sweep(janitor).catch(trouble), sweepFolders()]);
    }
  })();
  return {
    stop: async () => {
      over.abort();
      await rounds;
    },
  };
}
