/**
 * The blobs that an attempt was given: the source of its job, what jobs of its pipeline have left, artifacts of other
 * pipelines that it was granted, the caches that it looked up, and what its deployment replaced.
 *
 * GIVEN-1 A status that does not name the plan is of a control worker before this version: then the digest alone counts,
 *         as it did there.
 * GIVEN-2 What an attempt looked up is remembered by this process alone: a cache that is asked for after a restart of
 *         the server is missing, which fails no job.
 */
import { z } from 'zod';
import type { Digest } from '../../plan/model/ids.ts';
import type { PipelineStatus } from '../../plan/model/protocol.ts';
import { deployTargetOf } from '../../plan/model/queues.ts';
import { deployRecordName } from '../../plan/model/records.ts';
import { sha256 } from '../../utils/sha256.ts';
import { jsonOf } from '../records.ts';
import type { ServerDeps } from '../deps.ts';
import type { Views } from '../views.ts';
import type { AttemptClaims } from './attempt-token.ts';

const MAX_KNOWN = 5_000;

export interface GivenBlobs {
  isGiven(attempt: AttemptClaims, digest: Digest): Promise<boolean>;
  /** The attempt has read this record. */
  looked(attempt: AttemptClaims, record: unknown): void;
}
type GivenDeps = Pick<ServerDeps, 'blobs' | 'records'>;

export function givenBlobs(deps: GivenDeps, views: Pick<Views, 'status' | 'touch'>): GivenBlobs {
  const known = new Map<string, Set<string>>();
  const setOf = (attempt: AttemptClaims): Set<string> => {
    const key = `${attempt.run} ${attempt.activity}`;
    const found = known.get(key);
    if (found) return found;
    if (known.size >= MAX_KNOWN) known.clear();
    const made = new Set<string>();
    known.set(key, made);
    return made;
  };
  return {
    looked(attempt, record) {
      const found = withDigest.safeParse(record);
      if (found.success) setOf(attempt).add(found.data.digest);
    },
    async isGiven(attempt, digest) {
      const set = setOf(attempt);
      if (set.has(digest)) return true;
      // What a needed job has left may be newer than the status that was last read.
      views.touch(attempt.pipeline);
      const status = await views.status(attempt.pipeline);
      if (status.plan === undefined) return true;
      for (const one of await listed(deps, attempt, status)) set.add(one);
      return set.has(digest);
    },
  };
}

const withDigest = z.object({ digest: z.string() });
const plan = z.object({ jobs: z.array(z.object({ key: z.string(), spec: z.string() })) });
const spec = z.object({ source: z.string() });
const deployed = z.object({ previous: z.string().optional() });

async function listed(deps: GivenDeps, attempt: AttemptClaims, status: PipelineStatus): Promise<string[]> {
  const left = status.jobs.flatMap(({ result }) => [result?.artifacts?.digest, result?.dotenv]);
  const own = status.jobs.find((one) => one.key === attempt.job);
  const granted = (own?.given ?? []).flatMap(({ artifact, dotenv }) => [artifact?.digest, dotenv]);
  const found = [
    ...left,
    ...granted,
    await sourceOf(deps, attempt, status.plan),
    await replaced(deps, attempt),
  ];
  return found.filter((one) => one !== undefined);
}

async function sourceOf(
  deps: GivenDeps,
  { job }: AttemptClaims,
  digest?: Digest,
): Promise<string | undefined> {
  if (digest === undefined) return undefined;
  const named = plan.parse(await jsonOf(deps, digest)).jobs.find((one) => one.key === job)?.spec;
  return named === undefined ? undefined : spec.parse(await jsonOf(deps, named as Digest)).source;
}

/** What the deployment of this attempt replaced. */
async function replaced(deps: GivenDeps, attempt: AttemptClaims): Promise<string | undefined> {
  const target = deployTargetOf(attempt.queue);
  if (target === undefined) return undefined;
  const id = sha256(`${attempt.pipeline}/${attempt.job}/${attempt.attempt}`);
  return deployed.safeParse(await deps.records.get(deployRecordName(target, id))).data?.previous;
}
