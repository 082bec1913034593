import type { TargetList } from '../match/target-lists.ts';
import type { Arch, Digest, ProjectSlug } from '../plan/model/ids.ts';
import type { IncludeAnswers } from '../plan/model/includes.ts';
import type { Plan, PlanJob } from '../plan/model/plan.ts';
import type { WorkerReport } from '../plan/model/queues.ts';
import type { JobSpec, SpecVariable } from '../plan/model/spec.ts';
import type { Trigger } from '../plan/model/trigger.ts';
import type { Problem } from './problems.ts';
import type { Plain } from './yaml/nodes.ts';

/** Everything that a plan depends on: `compile` reads nothing else. */
export interface CompileRequest {
  file: { name: string; text: string };
  trigger: Trigger;
  iid: number;
  /** CI_PIPELINE_ID */
  number: number;
  project: {
    slug: ProjectSlug;
    defaultBranch: string;
    protectedRef: boolean;
    variables: readonly CompileVariable[];
    /** Full name at the forge, `group/project`; the slug if there is no forge. */
    path?: string;
    /** Page of the project at the forge. */
    url?: string;
    /** `https://gitlab.example.com/api`, for projects at a GitLab. */
    gitlabApi?: string;
    /** Where the source is fetched from, without credentials. */
    cloneUrl?: string;
    /** Where its images are below `registry`; absent: under the slug. */
    imageRoot?: string;
    /** Repositories beside its own that it may push to. */
    pushTo?: readonly string[];
    /** Whether a branch is protected. */
    isProtected?(branch: string): boolean;
  };
  instanceVariables: readonly CompileVariable[];
  /** Open merge requests of the branch, for CI_OPEN_MERGE_REQUESTS; absent: unknown. */
  openMergeRequests?: readonly string[] | undefined;
  /** host:port that CI_REGISTRY names. */
  registry: string;
  helperImage: string;
  /** Image of jobs without `image`. */
  defaultImage?: string;
  defaultArch: Arch;
  fleet: readonly WorkerReport[];
  /** Names of deploy targets. */
  targets: readonly string[];
  serverUrl: string;
  /** `artifactAgeMs`: for artifacts without `expire_in`; absent: they are kept. */
  limits: { jobTimeoutMs: number; gateExpiryMs: number; artifactAgeMs?: number };
  source: Digest;
  /** `timestamp` in ISO 8601. */
  commit: { author: string; timestamp: string; message: string; tagMessage?: string };
  /**
   * Changed paths by what they were compared with: '' is the state before the push or, in a merge request,
   * the merge base with the target branch; other names are those of `compare_to`. A name is missing if git
   * could not compare.
   */
  changed?: Readonly<Record<string, readonly string[]>>;
  /** The last commit that changed a file, or the files of a pattern, for `cache: key: files_commits`. */
  lastCommits?: Readonly<Record<string, string>>;
  /** The names that were requested for `changed`, for rules of includes. */
  changedFor?: readonly string[];
  /** Texts of included files by path; null for one that does not exist. includes.ts loads what is missing. */
  included?: Readonly<Record<string, string | null>>;
  /** Responses of other projects and servers, for includes that are not local. */
  responses?: IncludeAnswers;
  /** `include: template` also names GitLab's own templates, which `responses` has. */
  gitlabTemplates?: boolean;
  /** Every file of the source, for `exists` and includes with a wildcard. */
  files?: readonly string[];
  /**
   * Files of other projects, for `exists: project`, by project and ref (match/path-patterns.ts); null: it
   * does not exist or may not be read. A missing one was not requested.
   */
  elsewhere?: Readonly<Record<string, readonly string[] | null>>;
  /** Variables forwarded by the job of another pipeline; `late` ones are still to be expanded. */
  forwarded?: readonly SpecVariable[];
  /** Return `explained` too. */
  explain?: boolean;
  /** Also warn about valid but probably unintended constructs; set by `davit lint`. */
  lint?: boolean;
}

/** Where the file asks for each thing that a target must allow. */
export type DeployPlaces = Partial<Record<TargetList, string[]>>;

export interface CompiledJob {
  job: Omit<PlanJob, 'spec'>;
  spec: JobSpec;
  /** Present for a deploy job. */
  places?: DeployPlaces;
}
/** One job of the file, in this pipeline or not. */
export interface ExplainedJob {
  key: string;
  stage: string;
  included: boolean;
  /** Which rule or ref decided, or why it is excluded. */
  why: string;
  /** Every keyword under GitLab's name, after extends, default and rules. */
  resolved: Record<string, Plain>;
}
export type CompileResult =
  | {
      kind: 'plan';
      plan: Omit<Plan, 'jobs'>;
      jobs: CompiledJob[];
      warnings: Problem[];
      explained?: ExplainedJob[];
    }
  /** Nothing to run, and no failure. */
  | { kind: 'empty'; reason: string; warnings: Problem[]; explained?: ExplainedJob[] }
  | { kind: 'invalid'; problems: Problem[] };

/** A variable of the installation or of a project, with the conditions for a job to get it. */
export interface CompileVariable extends SpecVariable {
  /** Only on protected refs. */
  protected?: boolean;
  /** Glob of environment names; `*` or absent: every job. */
  environment?: string;
}
