/**
 * Tells what a job gave, for `needs` of other pipelines: under its ref, where the newest is looked for, and under its
 * pipeline. A try again that failed takes back what the one before it had given. The same end told twice is one record.
 */
import type { JobResult } from '../../src/plan/outcome.ts';
import { givenByName, givenName, givenPrefix, type GivenRecord } from '../../src/plan/records.ts';
import { givenHash } from '../find-given.ts';
import type { RecordStore } from '../../src/adapters/ports.ts';
import type { AttemptRef } from '../../src/plan/ids.ts';
import type { CommonSpec } from '../../src/plan/spec.ts';
import { messageOf } from '../../src/utils/message.ts';

export interface Giving {
  records: Pick<RecordStore, 'put'>;
  spec: Pick<CommonSpec, 'gives' | 'protectedRef' | 'fork' | 'key' | 'project'>;
  ref: Pick<AttemptRef, 'pipeline' | 'jobId' | 'attempt'>;
}

/** Answers a warning where the store would not have it: the job itself is none the worse for it. */
export async function give({ records, spec, ref }: Giving, result: JobResult): Promise<string | undefined> {
  const { gives, protectedRef, fork } = spec;
  const succeeded = result.outcome === 'succeeded';
  if (!gives || (!succeeded && ref.attempt === 1)) return undefined;
  const record: GivenRecord = {
    pipeline: ref.pipeline,
    number: gives.number,
    ...(gives.root !== undefined && { root: gives.root }),
    job: spec.key,
    jobId: ref.jobId,
    succeeded,
    ...(succeeded && result.artifacts && { artifact: result.artifacts }),
    ...(succeeded && result.dotenv && { dotenv: result.dotenv }),
  };
  const area = protectedRef ? 'protected' : 'unprotected';
  const prefix = givenPrefix(spec.project, area, givenHash(gives.ref, spec.key));
  try {
    await records.put(givenByName(gives.number, givenHash(spec.key)), record);
    if (!fork) await records.put(givenName(prefix, ref.jobId), record);
    return undefined;
  } catch (error) {
    const why = messageOf(error);
    return `Other pipelines will not find these artifacts by needs: ${why}`;
  }
}
