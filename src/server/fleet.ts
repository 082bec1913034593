import type { Fleet } from '../adapters/ports.ts';
import type { WorkerReport } from '../plan/model/queues.ts';

const LIVE_MS = 60_000;
const MAX_WORKERS = 10_000;

/** In memory: workers report every few seconds, so the fleet is complete again soon after a restart. */
export function memoryFleet(now: () => number = Date.now): Fleet {
  const seen = new Map<string, WorkerReport>();
  const forget = (): void => {
    for (const [id, worker] of seen) if (now() - worker.seenAt > LIVE_MS) seen.delete(id);
  };
  return {
    async report(worker) {
      if (seen.size >= MAX_WORKERS) forget();
      seen.set(worker.id, { ...worker, seenAt: now() });
    },
    async live() {
      forget();
      return [...seen.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
    },
  };
}
