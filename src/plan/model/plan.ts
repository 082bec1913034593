import type { Strategy } from './downstream.ts';
import type { Arch, Digest, JobKey } from './ids.ts';

/**
 * The Plan: what a pipeline runs, as plain JSON. Workflows see this skeleton only; scripts, variables and all else that a
 * job needs to run stand in its JobSpec (`spec.ts`), a blob named here by digest.
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

/** What the pipeline was found to be when it was compiled. */
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
  /** null: the stages decide. [] : starts at once. */
  needs: Need[] | null;
  /** Jobs of other pipelines whose artifacts go there too, after those. */
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
  /** Of a fork's pipeline: nothing but its gate, which every other job waits for. */
  admission?: true;
  /** Why it must not run; it fails without reaching a queue. */
  refused?: string;
  /** What whoever starts it must confirm; of manual jobs. */
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
  /** Safe to run again elsewhere when the host is lost: idempotent by digest, or the file says so. */
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
  /** It starts nothing: the newest pipeline of that project's default branch is followed. */
  mirrors?: true;
  /** Jobs whose artifacts the child's file is read out of. */
  filesFrom: JobKey[];
}
export interface Need {
  job: JobKey;
  artifacts: boolean;
  optional: boolean;
}
/**
 * The newest successful run of a job on a ref of a project, or the job of the pipeline with that CI_PIPELINE_ID in the same
 * family. Which one that is, is found when the job's turn has come, and kept for its retries.
 */
export type ForeignNeed = { job: JobKey } & ({ project: string; ref: string } | { pipeline: string });

export interface PlanEnvironment {
  name: string;
  /** May still hold `${NAME}` of values that only the job brings. */
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

/** A manual decision that blocks. */
export interface Gate {
  /** User names or roles; empty means any operator. */
  approvers: string[];
  expiresInMs: number;
  /** Jobs that must have succeeded before a person can approve, own stage included. */
  requires: JobKey[];
  /** What the installation file asks for beside it. */
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
