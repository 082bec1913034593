import type { Digest, JobKey, PipelineId } from './ids.ts';
import type { ArtifactRef } from './outcome.ts';

/** What a job of another pipeline gave. */
export interface CrossPipelineArtifact {
  pipeline: PipelineId;
  job: JobKey;
  jobId: number;
  artifact?: ArtifactRef;
  dotenv?: Digest;
}
/** All that was asked for; or, for a person, what is not there and why. */
export type CrossPipelineAnswer = { given: CrossPipelineArtifact[] } | { missing: string };
