/**
 * Records the artifacts of a job for `needs` of other pipelines: under its ref, for the search of the newest,
 * and under its pipeline. A failed retry withdraws the record of the attempt before it. Recording the same
 * end twice makes one record.
 */
import type { JobResult } from '../../../src/plan/model/outcome.ts';
import {
  artifactsByPipelineName,
  artifactRecordName,
  artifactRecordPrefix,
  type ArtifactRecord,
} from '../../../src/plan/model/records.ts';
import type { RecordStore } from '../../../src/adapters/ports.ts';
import type { AttemptRef } from '../../../src/plan/model/ids.ts';
import type { CommonSpec } from '../../../src/plan/model/spec.ts';
import { messageOf } from '../../../src/utils/message.ts';
import { artifactNameHash } from '../../../src/utils/store-names.ts';

export interface PublishRequest {
  records: Pick<RecordStore, 'put'>;
  spec: Pick<CommonSpec, 'gives' | 'protectedRef' | 'fork' | 'key' | 'project'>;
  ref: Pick<AttemptRef, 'pipeline' | 'jobId' | 'attempt'>;
}

/** Returns a warning if the store rejects it; the job still succeeds. */
export async function publishArtifacts(
  { records, spec, ref }: PublishRequest,
  result: JobResult,
): Promise<string | undefined> {
  const { gives, protectedRef, fork } = spec;
  const succeeded = result.outcome === 'succeeded';
  if (!gives || (!succeeded && ref.attempt === 1)) return undefined;
  const record: ArtifactRecord = {
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
  const prefix = artifactRecordPrefix(spec.project, area, artifactNameHash(gives.ref, spec.key));
  try {
    await records.put(artifactsByPipelineName(gives.number, artifactNameHash(spec.key)), record);
    if (!fork) await records.put(artifactRecordName(prefix, ref.jobId), record);
    return undefined;
  } catch (error) {
    const why = messageOf(error);
    return `Other pipelines will not find these artifacts by needs: ${why}`;
  }
}
