import type { Strategy } from './strategy.ts';
import type { Arch, Digest, JobKey } from './ids.ts';

/**
 * The plan: what a pipeline runs, as plain JSON. Workflows see only this skeleton; scripts, variables and
 * everything else that a job needs to run are in its JobSpec (`spec.ts`), a blob named here by digest.
 */
export interface Plan {
  version: 1;
  name?: string;
  /** Stages that have a job, in order. */
  stages: string[];
  /** In file order. */
  jobs: PlanJob[];
  /** Absent in plans of earlier versions. */
  trust?: PlanTrust;
  autoCancel: { onNewCommit: 'conservative' | 'interruptible' | 'none'; onJobFailure: 'all' | 'none' };
}

/** The facts about the pipeline at its compilation. */
export interface PlanTrust {
  protectedRef: boolean;
  fork: boolean;
}

export type JobKind = 'script' | 'build' | 'apitest' | 'push' | 'deploy' | 'trigger';
export type When = 'on_success' | 'on_failure' | 'always' | 'manual' | 'delayed';

export interface PlanJob {
  key: JobKey;
  /** The name in the file, without matrix values; `needs` on it means all of its jobs. */
  group: string;
  stage: string;
  stageIndex: number;
  kind: JobKind;
  when: When;
  /** ms; only for `delayed`. */
  startInMs?: number;
  /** true, false, or the exit codes that are allowed. */
  allowFailure: boolean | number[];
  /** null: the job waits for the stages before it. []: it starts at once. */
  needs: Need[] | null;
  /** Jobs of other pipelines whose artifacts go into the workspace too, after those of `artifactsFrom`. */
  foreign?: ForeignNeed[];
  /** Jobs whose artifacts go into the workspace, in order. */
  artifactsFrom: JobKey[];
  /** Jobs whose image this one tests, pushes or deploys. */
  imagesFrom: JobKey[];
  arch?: Arch;
  tags: string[];
  /** Temporal task queue (`queues.ts`). */
  queue: string;
  /** Tags that no worker of the fleet had at compile time; for `status`. */
  missingTags?: string[];
  retry: { max: number; when: string[]; exitCodes: number[] };
  timeoutMs: number;
  gate?: Gate;
  /** In a fork's pipeline: only a gate, which every other job waits for. */
  admission?: true;
  /** Why it must not run; it fails without reaching a queue. */
  refused?: string;
  /** For manual jobs: text that the person who starts it must confirm. */
  confirmation?: string;
  /** Its script is followed by a release at the forge. */
  release?: true;
  /** Its script is followed by the publication of a site. */
  pages?: true;
  environment?: PlanEnvironment;
  resourceGroup?: string;
  /** From the installation file; `unordered` when absent. */
  resourceMode?: 'unordered' | 'oldest_first' | 'newest_first' | 'newest_ready_first';
  interruptible: boolean;
  /** May run again elsewhere when the host is lost: idempotent by digest, or allowed by the file. */
  rerunnable: boolean;
  /** Present for kind `deploy`: the deploy target's name. */
  target?: string;
  /** Present for kind `trigger`. */
  downstream?: PlanDownstream;
  spec: Digest;
}
export interface PlanDownstream {
  strategy?: Strategy;
  /** As the file names it; absent: a child in the same project. */
  project?: string;
  /** It starts nothing: it follows the newest pipeline of that project's default branch. */
  mirrors?: true;
  /** Jobs whose artifacts contain the child's file. */
  filesFrom: JobKey[];
}
export interface Need {
  job: JobKey;
  artifacts: boolean;
  optional: boolean;
}
/**
 * The newest successful run of a job on a ref of a project, or the job of the pipeline with that
 * CI_PIPELINE_ID in the same family. It is looked up when the job's turn has come, and kept for its retries.
 */
export type ForeignNeed = { job: JobKey } & ({ project: string; ref: string } | { pipeline: string });

export interface PlanEnvironment {
  name: string;
  /** May still contain `${NAME}` of values that only the job provides. */
  url?: string;
  action: EnvironmentAction;
  /** Job of this pipeline that stops it. */
  onStop?: JobKey;
  /** ms after the deployment. */
  autoStopInMs?: number;
  tier?: EnvironmentTier;
}
export const TIERS = ['production', 'staging', 'testing', 'development', 'other'] as const;
export type EnvironmentTier = (typeof TIERS)[number];
export type EnvironmentAction = 'start' | 'prepare' | 'stop' | 'verify' | 'access';

/** A blocking decision of a person. */
export interface Gate {
  /** User names or roles; empty means any operator. */
  approvers: string[];
  expiresInMs: number;
  /** Jobs that must have succeeded before a person can approve, own stage included. */
  requires: JobKey[];
  /** Additional approvals that the installation file requires. */
  protection?: GateProtection;
}
export interface GateProtection {
  /** So many different people of each list; an empty list means operators. */
  approvals: { approvers: string[]; count: number }[];
  /** Four eyes: who has started the pipeline does not count. */
  notBy?: string[];
  /** The pipeline file has a gate of its own, whose approvers are asked too. */
  written?: true;
}
