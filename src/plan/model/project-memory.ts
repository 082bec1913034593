/** What a project workflow remembers, and its input, which carries the memory over continue-as-new. */
import type { EnvironmentState } from './environments.ts';
import type { PipelineId, ProjectSlug } from './ids.ts';
import type { LockState } from './locks.ts';
import type { PipelineState } from './pipeline-state.ts';
import type { KeyLookup, RerunRequest } from './protocol.ts';
import type { Trigger, TriggerSource } from './trigger.ts';

/**
 * Argument of the project workflow: the server sends `project` only, `memory` is for a run that continues as
 * new.
 */
export interface ProjectInput {
  project: ProjectSlug;
  memory?: ProjectMemory;
  /** History events after which it continues as new, in addition to the Temporal server's suggestion. */
  continueAfterEvents?: number;
}
export interface ProjectMemory {
  /** Newest last. */
  keys: KnownKey[];
  /** Last head seen of each ref, by `KIND:REF`; newest last. */
  heads: Head[];
  /** The same for the forge's events only; absent in a memory that is older than this field. */
  pushed?: PushedHead[];
  running: RunningPipeline[];
  locks: LockState[];
  /** Not processed yet. */
  queue: Trigger[];
  reruns: RerunRequest[];
  environments?: EnvironmentState[];
  /** Deletions that take effect when the trigger with the key `behind`, which arrived before, is done. */
  deletions?: (DeletedRef & { behind: string })[];
  /** Deliveries of deletions that were seen, newest last. */
  deletionIds?: string[];
  /** Repeats that may be pushes after a deletion whose delivery has not arrived; newest last. */
  repeated?: Trigger[];
}
/** A branch or tag that the forge reports as deleted. */
export interface DeletedRef {
  refKind: 'branch' | 'tag';
  /** Without refs/heads/ or refs/tags/. */
  ref: string;
  /** What it pointed at: for an annotated tag its object, not the commit. Absent: the forge does not say. */
  before?: string;
  /** Equal if the forge reports the same deletion again. */
  deliveryId?: string;
}
interface Head {
  /** `KIND:REF` */
  ref: string;
  sha: string;
  /** `before` of the earliest push that is known to have led to it. */
  before: string;
  pipeline: PipelineId;
  /** Pushes before it whose events arrived after it. */
  late?: number;
}
export interface PushedHead {
  /** `KIND:REF` */
  ref: string;
  sha: string;
  before: string;
  /** Found without a delivery: a delivery that arrives later starts nothing. */
  reconciled?: true;
}
export interface KnownKey {
  key: string;
  deliveries: string[];
  state: Exclude<KeyLookup['state'], 'unknown'>;
  pipeline?: PipelineId;
  message?: string;
}
export interface RunningPipeline {
  id: PipelineId;
  runId: string;
  ref: string;
  refKind: Trigger['refKind'];
  source: TriggerSource;
  iid: number;
  /** For a child: the source of the pipeline at the head of its family. */
  origin?: TriggerSource;
  state?: PipelineState;
}
