import type { Arch, Digest, ProjectSlug } from '../plan/model/ids.ts';
import type { IncludeAnswers } from '../plan/model/includes.ts';
import type { Plan, PlanJob } from '../plan/model/plan.ts';
import type { WorkerReport } from '../plan/model/queues.ts';
import type { JobSpec, SpecVariable } from '../plan/model/spec.ts';
import type { Trigger } from '../plan/model/trigger.ts';
import type { Problem } from './problems.ts';
import type { Plain } from './yaml/nodes.ts';

/** All that a plan depends on: `compile` reads nothing else. */
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
    /** Full name at the forge, `group/project`; the slug where there is no forge. */
    path?: string;
    /** Page of the project at the forge. */
    url?: string;
    /** `https://gitlab.example.com/api`, of projects at a GitLab. */
    gitlabApi?: string;
    /** Where the source is fetched from; no credentials in it. */
    cloneUrl?: string;
    /** Whether a branch is protected. */
    isProtected?(branch: string): boolean;
  };
  instanceVariables: readonly CompileVariable[];
  /** host:port that CI_REGISTRY names. */
  registry: string;
  helperImage: string;
  /** Image of jobs that name none. */
  defaultImage?: string;
  defaultArch: Arch;
  fleet: readonly WorkerReport[];
  /** Names of deploy targets. */
  targets: readonly string[];
  serverUrl: string;
  limits: { jobTimeoutMs: number; gateExpiryMs: number };
  source: Digest;
  /** `timestamp` in ISO 8601. */
  commit: { author: string; timestamp: string; message: string; tagMessage?: string };
  /**
   * What git says has changed, by what it was compared with: '' is the state before the push or, in a merge request, where it
   * left the target branch; other names are those of `compare_to`. A missing name: git could not say.
   */
  changed?: Readonly<Record<string, readonly string[]>>;
  /** The last commit that has changed a file, or files of a pattern, for `cache: key: files_commits`. */
  lastCommits?: Readonly<Record<string, string>>;
  /** The names that git was asked for in `changed`, for rules of includes. */
  changedFor?: readonly string[];
  /** Texts of included files by path; null for one that is not there. What is missing is asked for: includes.ts. */
  included?: Readonly<Record<string, string | null>>;
  /** What other projects and servers have said, for includes that are not local. */
  answers?: IncludeAnswers;
  /** Every file of the source, for `exists` and includes with a wildcard. */
  files?: readonly string[];
  /**
   * Files of other projects, for `exists: project`, by project and ref (match/path-patterns.ts); null: not there, or not to be
   * read. A missing one was not asked for.
   */
  elsewhere?: Readonly<Record<string, readonly string[] | null>>;
  /** Variables that the job of another pipeline gives to this one; `late` ones are still to be expanded. */
  forwarded?: readonly SpecVariable[];
  /** Answer with `explained` too. */
  explain?: boolean;
  /** Warn also of what is valid and hardly meant: for people, who ask for it. */
  lint?: boolean;
}

export interface CompiledJob {
  job: Omit<PlanJob, 'spec'>;
  spec: JobSpec;
}
/** One job of the file, in this pipeline or not. */
export interface ExplainedJob {
  key: string;
  stage: string;
  included: boolean;
  /** Which rule or ref decided, or why it is left out. */
  why: string;
  /** Every keyword under GitLab's name, after extends, default and rules. */
  resolved: Record<string, Plain>;
}
export type CompileAnswer =
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

/** A variable of the installation or of a project, with the conditions under which a job gets it. */
export interface CompileVariable extends SpecVariable {
  /** Only on protected refs. */
  protected?: boolean;
  /** Glob of environment names; `*` or absent: every job. */
  environment?: string;
}
