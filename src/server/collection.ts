/** Removes unused blobs, on a schedule and from a minimum age. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Collected } from '../adapters/ports.ts';
import { DavitError } from '../errors.ts';
import { collectImages } from './image-collection.ts';
import type { PipelineId } from '../plan/model/ids.ts';
import type { ServerDeps } from './deps.ts';

const EVERY_MS = 6 * 3_600_000;
/** Keeps the collection out of the server's start. */
const INITIAL_DELAY_MS = 10 * 60_000;
/** Pipelines that Temporal still knows. */
const MAX_LISTED = 50_000;
/** A pipeline's source is stored before the pipeline starts, and clocks of machines differ. */
const MARGIN_MS = 24 * 3_600_000;

type Deps = Pick<ServerDeps, 'collect' | 'facts' | 'images' | 'deployTokens' | 'records'> & {
  workflows: Pick<ServerDeps['workflows'], 'oldestOpen' | 'list' | 'project'>;
};

/**
 * Rejects with `temporal/unreachable` or `pipeline/no-answer`: nothing is removed while open pipelines are
 * unknown.
 */
export async function collectOnce(deps: Deps, dryRun: boolean, now = Date.now()): Promise<Collected> {
  const oldest = (await deps.workflows.oldestOpen()) ?? now;
  const { log_age: age, source_age: sourceAge } = deps.facts().config.limits;
  const before = Math.min(oldest, now) - MARGIN_MS;
  const logsBefore = age === undefined ? {} : { logsBefore: now - age };
  const open = sourceAge === undefined ? undefined : await openPipelines(deps);
  // A pipeline that is retried after its end is open again, and needs its source.
  const sources =
    sourceAge === undefined || !open ? {} : { sourcesBefore: Math.min(now - sourceAge, before), open };
  const collected = await deps.collect({ now, before, dryRun, ...logsBefore, ...sources });
  return { ...collected, ...(await oldImages(deps, { now, before, dryRun })) };
}

/** A registry that is away keeps no blob from being removed. */
async function oldImages(
  { images, ...deps }: Deps,
  { now, before, dryRun }: { now: number; before: number; dryRun: boolean },
): Promise<Pick<Collected, 'images' | 'imagesProblem'>> {
  const { image_age: age } = deps.facts().config.limits;
  if (age === undefined || !images) return {};
  try {
    const request = { before: Math.min(now - age, before), dryRun };
    return { images: await collectImages({ ...deps, images }, request) };
  } catch (error) {
    if (!(error instanceof DavitError)) throw error;
    return { imagesProblem: error.message };
  }
}

/** Undefined if there are too many to know them all. */
async function openPipelines({ workflows }: Deps): Promise<PipelineId[] | undefined> {
  const listed = await workflows.list({ limit: MAX_LISTED });
  return listed.length < MAX_LISTED ? listed.filter((one) => one.open).map(({ id }) => id) : undefined;
}

/** Collects four times a day until stopped; a failed collection is retried the next time. */
export function runCollection(deps: Deps & Pick<ServerDeps, 'log'>): { stop(): Promise<void> } {
  const over = new AbortController();
  const pause = (ms: number): Promise<void> =>
    delay(ms, undefined, { signal: over.signal, ref: false }).catch(() => undefined); // stopped
  const rounds = (async () => {
    await pause(INITIAL_DELAY_MS);
    while (!over.signal.aborted) {
      try {
        const { blobs, bytes, logs, images, imagesProblem } = await collectOnce(deps, false);
        if (images) deps.log.note('removed old images', { images });
        if (imagesProblem !== undefined)
          deps.log.warn('no old images were removed', { cause: imagesProblem });
        if (blobs > 0) deps.log.note('removed unused blobs', { blobs, bytes });
        if (logs && logs.pipelines > 0) deps.log.note('removed old logs', { ...logs });
      } catch (error) {
        deps.log.warn('the collection of blobs failed', { cause: String(error) });
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
