import type { Digest, JobKey, PipelineId } from './ids.ts';
import type { ArtifactRef } from './outcome.ts';

/** Artifacts that a job of another pipeline offers. */
export interface CrossPipelineArtifact {
  pipeline: PipelineId;
  job: JobKey;
  jobId: number;
  artifact?: ArtifactRef;
  dotenv?: Digest;
}
/** All requested artifacts, or a message about what is missing and why. */
export type CrossPipelineAnswer = { given: CrossPipelineArtifact[] } | { missing: string };
