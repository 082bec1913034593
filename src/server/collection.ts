/** When blobs that nothing needs are removed, and from which age on. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Collected } from '../adapters/ports.ts';
import type { ServerDeps } from './deps.ts';

const EVERY_MS = 6 * 3_600_000;
/** A server that has just started has more important things to do. */
const INITIAL_DELAY_MS = 10 * 60_000;
/** What a pipeline needs is stored before it starts: its source, and what the clocks of the machines are apart. */
const MARGIN_MS = 24 * 3_600_000;

type Deps = Pick<ServerDeps, 'collect'> & { workflows: Pick<ServerDeps['workflows'], 'oldestOpen'> };

/** Rejects with `temporal/unreachable` or `pipeline/no-answer`: without word on what is open or waits, nothing is removed. */
export async function collectOnce(deps: Deps, dryRun: boolean, now = Date.now()): Promise<Collected> {
  const oldest = (await deps.workflows.oldestOpen()) ?? now;
  return deps.collect({ now, before: Math.min(oldest, now) - MARGIN_MS, dryRun });
}

/** Four times a day until stopped; what fails is tried again the next time. */
export function keepCollected(deps: Deps & Pick<ServerDeps, 'log'>): { stop(): Promise<void> } {
  const over = new AbortController();
  const pause = (ms: number): Promise<void> =>
    delay(ms, undefined, { signal: over.signal, ref: false }).catch(() => undefined); // stopped: seen by the loop
  const rounds = (async () => {
    await pause(INITIAL_DELAY_MS);
    while (!over.signal.aborted) {
      try {
        const { blobs, bytes } = await collectOnce(deps, false);
        if (blobs > 0) deps.log.note('blobs that nothing needs were removed', { blobs, bytes });
      } catch (error) {
        deps.log.warn('blobs could not be collected', { cause: String(error) });
      }
      await pause(EVERY_MS);
    }
  })();
  return {
    stop: async () => {
      over.abort();
      await rounds;
    },
  };
}
