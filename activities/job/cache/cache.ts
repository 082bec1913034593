/**
 * Role: the caches of a job: found before its container is filled, stored after it has ended.
 * Not its role: their names and access rights (`cache-keys.ts`).
 *
 * Invariants:
 *  CACHE-1 Best effort: no problem with a cache fails the job; the log reports it.
 *  CACHE-2 A cache streams from the store into the container; one that breaks off is removed again
 *          (`prepare.ts`).
 *  CACHE-3 A record names a blob only after the blob is stored.
 */
import type { Readable } from 'node:stream';
import type { CacheRecord } from '../../../src/plan/model/records.ts';
import { collectArtifacts } from '../files/artifacts.ts';
import { collectRequest } from '../files/collect-request.ts';
import { type JobCache, jobCaches, pushPlan, readPushPlan } from './cache-keys.ts';
import type { Job } from '../context/job.ts';
import { warning } from '../../runtime/log/log-lines.ts';
import { LABELS } from '../../runtime/container-names.ts';
import { isDue, type Verdict } from '../container/verdict.ts';
import { messageOf } from '../../../src/utils/message.ts';

export interface FoundCaches {
  /** tar.gz, in order. */
  archives: (() => Promise<Readable>)[];
  /** For the beginning of the log. */
  notes: string[];
  labels: Record<string, string>;
}

/** Never rejects. */
export async function findCaches(job: Job, values: ReadonlyMap<string, string>): Promise<FoundCaches> {
  const notes: string[] = [];
  const archives: FoundCaches['archives'] = [];
  let caches: JobCache[] = [];
  try {
    caches = await jobCaches(job.spec, values, job.deps.blobs);
    for (const cache of caches) {
      if (cache.warning !== undefined) notes.push(warning(cache.warning));
      if (cache.pulls) archives.push(...(await findCache(job, cache, notes)));
    }
  } catch (error) {
    notes.push(warning(`The caches are left out: ${messageOf(error)}`));
  }
  const plan = pushPlan(caches);
  return {
    archives,
    notes,
    labels: plan.length > 0 ? { [LABELS.caches]: JSON.stringify(plan) } : {},
  };
}

/** The first key that has a cache. */
async function findCache({ deps }: Job, cache: JobCache, notes: string[]): Promise<FoundCaches['archives']> {
  for (const key of [cache.own, ...cache.fallback]) {
    notes.push(`Checking cache for ${key.shown}...`);
    try {
      const record = await deps.records.get<CacheRecord>(key.record);
      if (record && (await deps.blobs.has(record.digest))) {
        notes.push('Successfully extracted cache');
        return [() => deps.blobs.getStream(record.digest)];
      }
      notes.push('There is no such cache yet');
    } catch (error) {
      notes.push(warning(`The cache cannot be fetched: ${messageOf(error)}`));
    }
  }
  return [];
}

/**
 * Stores the caches of the ended container, as `policy` and `when` demand. Never rejects; returns lines for
 * the log.
 */
export async function saveCaches(
  job: Job,
  labels: Readonly<Record<string, string>>,
  verdict: Verdict,
): Promise<string[]> {
  const lines: string[] = [];
  try {
    for (const { index, record } of readPushPlan(job.spec, labels[LABELS.caches])) {
      const spec = job.spec.caches?.[index];
      if (spec && isDue(spec.when, verdict)) lines.push(...(await keepCache(job, { index, record })));
    }
  } catch (error) {
    lines.push(warning(`The cache could not be kept: ${messageOf(error)}`));
  }
  return lines;
}

async function keepCache(job: Job, { index, record }: { index: number; record: string }): Promise<string[]> {
  const { deps, spec } = job;
  const cache = spec.caches?.[index];
  if (!cache) return [];
  const { artifact, warnings } = await collectArtifacts({
    ...collectRequest(job),
    spec: { ...cache, exclude: [] },
    what: 'cache',
  });
  const lines = warnings.map((text) => warning(text));
  if (!artifact) return lines;
  const { digest, bytes, files } = artifact;
  await deps.records.put<CacheRecord>(record, { digest, bytes, at: deps.now() });
  return [...lines, `Created cache: ${files} files, ${bytes} bytes`];
}
