/**
 * A file that is fresh as long as a worker takes work: a container's health check looks at its time, which costs nothing. It
 * says more than that the process is there: the worker polls, its server answers, and the server reaches Temporal.
 */
import { rm, writeFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';

const EVERY_MS = 5_000;
const ASK_MS = 4_000;
const health = z.object({ ok: z.boolean() });

/** Freshens the file while `working` resolves to true. `stop` removes it. */
export function keepReady(
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
  // A file that cannot be written is a mistake of the installation: it is thrown where it is waited for.
  kept.catch(() => undefined);
  return {
    async stop() {
      stopping.abort();
      await kept;
      await rm(file, { force: true });
    },
  };
}

/** Whether the server answers and says that it reaches Temporal. */
export async function serverWorks(url: string): Promise<boolean> {
  try {
    const response = await fetch(`${url}/healthz`, { signal: AbortSignal.timeout(ASK_MS) });
    return health.parse(await response.json()).ok;
  } catch {
    return false; // no answer, or not davit's: that is what the file is to say
  }
}
