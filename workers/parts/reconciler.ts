/**
 * The reconciler's timer: which projects are compared, when, and how many at once. After a start, and after the server
 * was away, what moved meanwhile is found within a minute. Deliveries that are on their way have that time to arrive.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { reconcile, type ReconcileDeps } from '../../activities/pipeline/reconcile.ts';
import { DavitError, type ErrorCode } from '../../src/errors.ts';
import type { InstallationProject } from '../../src/installation.ts';
import type { InstallationFacts } from '../../src/installation-facts.ts';
import { reconcileRecordName, type ReconcileRecord } from '../../src/plan/model/records.ts';
import { messageOf } from '../../src/utils/message.ts';

const AT_ONCE = 2;
/** Part of `every`: control workers that start together spread out. */
const JITTER = 0.2;
/** Part of `every`: if another control worker has compared within this time, this one skips it. */
const FRESH = 0.5;
/** After an absence: deliveries that are on their way arrive first, with what only they know. */
const SETTLE_MS = 30_000;
/** Between two looks at whether the server is there. */
const PROBE_MS = 20_000;

export interface ReconcilerOptions extends Omit<ReconcileDeps, 'graceMs' | 'atMost' | 'now' | 'signal'> {
  facts: InstallationFacts;
  now?(): number;
  /** What was found, and what failed and is retried, in one line for the log. */
  say(line: string): void;
  /** For tests: in place of `SETTLE_MS` and `PROBE_MS`. */
  settleMs?: number;
  probeMs?: number;
}
/** `everyone`: also projects that were compared recently. `graceMs`: in place of the configured one. */
interface Pass {
  everyone?: boolean;
  graceMs?: number;
}

type Reconciled = InstallationProject & { clone_url: string };

/** Projects with a repository and a forge that reports pushes, unless the operator has switched it off. */
export const reconciledProjects = (projects: readonly InstallationProject[]): Reconciled[] =>
  projects.flatMap((project) =>
    project.reconcile && project.clone_url && project.forge !== 'none'
      ? [{ ...project, clone_url: project.clone_url }]
      : [],
  );

/** Compares each project that no control worker has compared recently. Never rejects. False: the server was away. */
export async function reconcileAll(
  options: ReconcilerOptions,
  signal?: AbortSignal,
  { everyone = false, graceMs }: Pass = {},
): Promise<boolean> {
  let reached = true;
  const { every, grace, at_most } = options.facts.config.reconcile;
  const now = options.now ?? Date.now;
  const waiting = reconciledProjects(options.facts.config.projects);
  const deps: ReconcileDeps = { ...options, graceMs: graceMs ?? grace, atMost: at_most, now, signal };
  const one = async (): Promise<void> => {
    for (let project = waiting.shift(); project && !signal?.aborted; project = waiting.shift()) {
      try {
        const last = await options.records.get<ReconcileRecord>(reconcileRecordName(project.name));
        if (!everyone && last && !last.problem && now() - last.at < every * FRESH) continue;
        for (const { ref, sha } of await reconcile(deps, project))
          options.say(`reconcile: ${project.name} ${ref} ${sha.slice(0, 12)}: no delivery arrived, started`);
      } catch (error) {
        if (error instanceof DavitError && SERVER_AWAY.includes(error.code)) reached = false;
        options.say(`reconcile: ${project.name}: ${messageOf(error)}`);
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, one));
  return reached;
}
const SERVER_AWAY: readonly ErrorCode[] = ['store/unreachable', 'server/busy', 'temporal/unreachable'];

/** What moved while nobody looked: seen twice, a moment apart, and not known by then. */
async function afterAbsence(options: ReconcilerOptions, signal: AbortSignal): Promise<boolean> {
  const { settleMs = SETTLE_MS } = options;
  await reconcileAll(options, signal, { everyone: true });
  await delay(settleMs, undefined, { signal }).catch(() => undefined); // stopped
  if (signal.aborted) return true;
  return reconcileAll(options, signal, { everyone: true, graceMs: settleMs / 2 });
}

/** Until the next pass. True: the server was away meanwhile, and is back. */
async function pause(
  options: ReconcilerOptions,
  signal: AbortSignal,
  { project, forMs, reached }: { project: string; forMs: number; reached: boolean },
): Promise<boolean> {
  const { probeMs = PROBE_MS } = options;
  const end = Date.now() + forMs;
  for (let away = !reached; !signal.aborted; ) {
    const left = end - Date.now();
    if (left <= 0 && !away) return false;
    await delay(away ? probeMs : Math.min(probeMs, left), undefined, { signal }).catch(() => undefined); // stopped
    try {
      await options.records.get(reconcileRecordName(project));
      if (away) return true;
    } catch {
      away = true; // the server does not respond
    }
  }
  return false;
}

/** Compares periodically until stopped; `stop` waits for the current pass. */
export function runReconciler(options: ReconcilerOptions): { stop(): Promise<void> } {
  const over = new AbortController();
  // A server of an older version does not support it: nothing is compared until it is upgraded too.
  const config: InstallationFacts['config']['reconcile'] | undefined = options.facts.config.reconcile;
  const [first] = reconciledProjects(options.facts.config.projects);
  if (!config || !first) return { stop: async () => {} };
  const { every } = config;
  const rounds = (async () => {
    const { signal } = over;
    for (let absent = true; !signal.aborted; ) {
      const reached = absent ? await afterAbsence(options, signal) : await reconcileAll(options, signal);
      const forMs = every * (1 + JITTER * (Math.random() - 0.5));
      absent = await pause(options, signal, { project: first.name, forMs, reached });
    }
  })();
  return {
    stop: async () => {
      over.abort();
      await rounds;
    },
  };
}
