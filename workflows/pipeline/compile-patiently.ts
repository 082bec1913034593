/**
 * Compiles a pipeline whose forge may be away: an accepted push waits for it for hours, and says so, as a job waits for
 * its registry.
 */
import { sleep } from '@temporalio/workflow';
import type { CompileInput, CompileOutput } from '../../activities/contract.ts';
import { awaitingForge, compiling, FORGE_WAIT_MS, isForgeAway } from '../activities.ts';
import { causeMessage, classify } from '../failures.ts';
import { hasVersion } from '../versions.ts';

/** `waits`: told why the forge is waited for, and without a reason when that is over. Rejects as the activity does. */
export async function compilePatiently(
  input: CompileInput,
  waits: (why: string | undefined) => void,
): Promise<CompileOutput> {
  let until: number | undefined;
  let waiting = false;
  try {
    for (;;) {
      const left = (until ?? 0) - Date.now();
      try {
        return await (waiting ? awaitingForge(left) : compiling).compilePipeline(input);
      } catch (error) {
        const { kind } = classify(error);
        // Its worker is shutting down: another one takes it.
        if (kind === 'requeued') await sleep('1s', { summary: 'compile again' });
        // The forge is back, and what fails now has the usual attempts.
        else if (waiting && kind !== 'cancelled' && !isForgeAway(error)) waiting = false;
        else if (waiting || !isForgeAway(error) || (until !== undefined && left <= 0)) throw error;
        else if (until !== undefined || hasVersion('compileWaitsForForge')) {
          until ??= Date.now() + FORGE_WAIT_MS;
          waiting = true;
          waits(causeMessage(error));
        } else throw error;
      }
    }
  } finally {
    if (until !== undefined) waits(undefined);
  }
}
