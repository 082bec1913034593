/** The reconciler's timer: which projects are compared, when, and how many at once. */
import { setTimeout as delay } from 'node:timers/promises';
import { reconcile, type ReconcileDeps } from '../../activities/pipeline/reconcile.ts';
import type { InstallationProject } from '../../src/installation.ts';
import type { InstallationFacts } from '../../src/installation-facts.ts';
import { reconcileRecordName, type ReconcileRecord } from '../../src/plan/model/records.ts';
import { messageOf } from '../../src/utils/message.ts';

const AT_ONCE = 2;
/** Part of `every`: control workers that start together spread out. */
const JITTER = 0.2;
/** Part of `every`: if another control worker has compared within this time, this one skips it. */
const FRESH = 0.5;

export interface ReconcilerOptions extends Omit<ReconcileDeps, 'graceMs' | 'atMost' | 'now' | 'signal'> {
  facts: InstallationFacts;
  now?(): number;
  /** What was found, and what failed and is retried, in one line for the log. */
  say(line: string): void;
}

type Reconciled = InstallationProject & { clone_url: string };

/** Projects with a repository and a forge that reports pushes, unless the operator has switched it off. */
export const reconciledProjects = (projects: readonly InstallationProject[]): Reconciled[] =>
  projects.flatMap((project) =>
    project.reconcile && project.clone_url && project.forge !== 'none'
      ? [{ ...project, clone_url: project.clone_url }]
      : [],
  );

/** Compares each project that no control worker has compared recently. Never rejects. */
export async function reconcileAll(options: ReconcilerOptions, signal?: AbortSignal): Promise<void> {
  const { every, grace, at_most } = options.facts.config.reconcile;
  const now = options.now ?? Date.now;
  const waiting = reconciledProjects(options.facts.config.projects);
  const deps: ReconcileDeps = { ...options, graceMs: grace, atMost: at_most, now, signal };
  const one = async (): Promise<void> => {
    for (let project = waiting.shift(); project && !signal?.aborted; project = waiting.shift()) {
      try {
        const last = await options.records.get<ReconcileRecord>(reconcileRecordName(project.name));
        if (last && !last.problem && now() - last.at < every * FRESH) continue;
        for (const { ref, sha } of await reconcile(deps, project))
          options.say(`reconcile: ${project.name} ${ref} ${sha.slice(0, 12)}: no delivery arrived, started`);
      } catch (error) {
        options.say(`reconcile: ${project.name}: ${messageOf(error)}`);
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, one));
}

/** Compares periodically until stopped; `stop` waits for the current pass. */
export function runReconciler(options: ReconcilerOptions): { stop(): Promise<void> } {
  const over = new AbortController();
  // A server of an older version does not support it: nothing is compared until it is upgraded too.
  const config: InstallationFacts['config']['reconcile'] | undefined = options.facts.config.reconcile;
  if (!config) return { stop: async () => {} };
  const { every } = config;
  const rounds = (async () => {
    while (!over.signal.aborted) {
      await reconcileAll(options, over.signal);
      const pause = every * (1 + JITTER * (Math.random() - 0.5));
      await delay(pause, undefined, { signal: over.signal }).catch(() => undefined); // stopped
    }
  })();
  return {
    stop: async () => {
      over.abort();
      await rounds;
    },
  };
}
