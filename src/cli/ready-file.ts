/**
 * A file that is updated while a worker takes work; a container's health check looks at its modification
 * time. It means more than a live process: the worker polls, its server responds, and the server reaches
 * Temporal.
 */
import { rm, writeFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';

const EVERY_MS = 5_000;
const ASK_MS = 4_000;
const health = z.object({ ok: z.boolean() });

/** Rewrites the file while `working` resolves to true. `stop` removes it. */
export function updateReadyFile(
  file: string,
  working: () => Promise<boolean>,
  everyMs = EVERY_MS,
): { stop(): Promise<void> } {
  const stopping = new AbortController();
  const kept = (async () => {
    while (!stopping.signal.aborted) {
      if (await working()) await writeFile(file, `${new Date().toISOString()}\n`);
      await pause(everyMs, undefined, { signal: stopping.signal }).catch(() => undefined); // stopped
    }
  })();
  // A file that cannot be written is an installation error: `stop` rejects with it.
  kept.catch(() => undefined);
  return {
    async stop() {
      stopping.abort();
      await kept;
      await rm(file, { force: true });
    },
  };
}

/** True if the server responds and reports that it reaches Temporal. */
export async function serverWorks(url: string): Promise<boolean> {
  try {
    const response = await fetch(`${url}/healthz`, { signal: AbortSignal.timeout(ASK_MS) });
    return health.parse(await response.json()).ok;
  } catch {
    return false; // no response, or not davit's: the file must become stale
  }
}
