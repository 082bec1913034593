import type { Digest, JobKey, PipelineId, ProjectSlug } from './ids.ts';
import type { Proof } from './proof.ts';
import type { Strategy } from './strategy.ts';

export type TriggerSource =
  | 'push'
  | 'tag'
  | 'merge_request'
  | 'web'
  | 'api'
  | 'schedule'
  | 'cli'
  | 'parent_pipeline'
  | 'pipeline';

/** Value of an input: JSON. A text is converted to the type of the input. */
export type InputValue =
  | string
  | number
  | boolean
  | null
  | readonly InputValue[]
  | { readonly [key: string]: InputValue };

/** The job that started this pipeline. */
export interface Upstream {
  pipeline: PipelineId;
  job: JobKey;
  attempt: number;
  strategy?: Strategy;
  /** Blob: DownstreamConfig. */
  config: Digest;
  /** 1 is a child, 2 the child of a child; 0: a pipeline of another project. */
  depth: number;
  /**
   * CI_PIPELINE_ID of the pipeline at the head of its family, which is a pipeline with its children; absent
   * at depth 0.
   */
  family?: number;
  /** CI_PIPELINE_ID of the pipeline at the head of the whole tree. */
  root: number;
  /** Source of the head of its family: a newer push supersedes the family's children as well. */
  origin: TriggerSource;
  /** `PROJECT REF SOURCE` of this pipeline and those above it, without children: shows cycles. */
  chain: string[];
}

/** A project at its forge, as the remote of a working tree names it. `plain`: over http. */
export interface Origin {
  /** With the port, if it is not that of https. */
  host: string;
  /** `group/project` */
  path: string;
  plain?: true;
}

/** A request for a pipeline, signalled to the project workflow. It contains no secret. */
export interface Trigger {
  project: ProjectSlug;
  source: TriggerSource;
  /**
   * Equal for the same event: `push:REF:BEFORE:AFTER` from a forge, `request:UUID` from CLI and API,
   * `downstream:PIPELINE:ATTEMPT:JOB` from a trigger job. There is at most one pipeline per key.
   */
  key: string;
  /** The forge's delivery id, or the request's. */
  deliveryId: string;
  /** Branch or tag name, without refs/heads/. */
  ref: string;
  refKind: 'branch' | 'tag' | 'merge_request';
  sha: string;
  /** All zeros: a new ref. */
  before: string;
  title: string;
  message?: string;
  actor: string;
  /**
   * Role of the caller of the API; absent for a forge's events. Without a trusted role or event nothing is
   * protected.
   */
  role?: 'reader' | 'developer' | 'operator';
  /** The request came with the token of the machine that the server runs on. */
  local?: true;
  defaultBranch?: string;
  /** URL to fetch from; absent for `davit run`, whose working tree is already a blob. */
  cloneUrl?: string;
  /** Tar of a working tree with `.git`. */
  sourceBlob?: Digest;
  /** Pipeline file, if it is not the default one. */
  file?: string;
  /** For `davit run`: changed files of the working tree, see `CompileRequest.changed`. */
  changed?: Record<string, string[]>;
  /** For `davit run`: see `CompileRequest.lastCommits`. */
  lastCommits?: Record<string, string>;
  /** Run only these jobs and what they need. */
  jobs?: string[];
  variables?: Record<string, string>;
  /** For `spec:inputs` of the pipeline's own file. */
  inputs?: Record<string, InputValue>;
  /**
   * For `davit run` on its own machine: with all workers on one host, a tag that none has does not stop a
   * job.
   */
  here?: boolean;
  mergeRequest?: {
    iid: number;
    sourceBranch: string;
    targetBranch: string;
    sourceSha: string;
    title: string;
    /** Further facts of the forge's event; each may be absent. */
    id?: string;
    /** Login of the author, as the forge reports it. */
    author?: string;
    /** At most 2,700 characters; `descriptionCut`: it was longer. */
    description?: string;
    descriptionCut?: boolean;
    labels?: string[];
    assignees?: string[];
    milestone?: string;
    draft?: boolean;
    squash?: boolean;
    source?: ForgeRepository;
    target?: ForgeRepository;
  };
  /** The project at its forge, as its event describes it. */
  repository?: ForgeRepository;
  /** For a working tree: where its remote is. Only for projects without a `repository` in the installation file. */
  origin?: Origin;
  /** The head repository differs from the project's, or is unknown. */
  fork: boolean;
  /**
   * Found by comparing heads, without a delivery: it starts only while it is the forge's head without a known
   * pipeline.
   */
  reconciled?: {
    /** Full: refs/heads/main */
    ref: string;
    /** Object that the ref names; for an annotated tag, the tag. */
    after: string;
  };
  /** For sources `parent_pipeline` and `pipeline`: the job that started it. */
  upstream?: Upstream;
  /** It runs an ended pipeline again: that one, and the source of the first of them. */
  again?: { pipeline: PipelineId; source: TriggerSource };
  /** Who pushed or started the earlier ones: whose code it is does not change by running it again. */
  startedBefore?: string[];
  /** Epoch ms, server's clock. */
  receivedAt: number;
  /** Set by the server. */
  proof?: Proof;
}

/** The event that a pipeline is for, also where a person runs it again: rules look at this one. */
export const eventOf = ({ source, again }: Pick<Trigger, 'source' | 'again'>): TriggerSource =>
  again?.source ?? source;

/**
 * Key of a push event. `ref` is the full name, `before` all zeros for a new ref, `after` the object that the
 * ref names now.
 */
export const pushKey = (push: { ref: string; before: string; after: string }): string =>
  `push:${push.ref}:${push.before}:${push.after}`;

/** Key of an event of a merge request. `before`: the head before, all zeros for a new one or if the forge does not say. */
export const mergeKey = (of: { iid: number; before: string; sha: string }): string =>
  `merge_request:${of.iid}:${of.before}:${of.sha}`;

export interface ForgeRepository {
  id?: string;
  /** `group/project` */
  path?: string;
  /** Its page. */
  url?: string;
  description?: string;
  visibility?: 'private' | 'internal' | 'public';
}

/** There is at most one pipeline per attempt of a trigger job. */
export const downstreamKey = ({
  pipeline,
  attempt,
  job,
}: Pick<Upstream, 'pipeline' | 'job' | 'attempt'>): string => `downstream:${pipeline}:${attempt}:${job}`;
