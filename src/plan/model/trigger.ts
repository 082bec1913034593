import type { Upstream } from './downstream.ts';
import type { Digest, ProjectSlug } from './ids.ts';

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

/** Value of an input: JSON, lists of anything included. A text is read as the type that the input has. */
export type InputValue =
  | string
  | number
  | boolean
  | null
  | readonly InputValue[]
  | { readonly [key: string]: InputValue };

/** What asks for a pipeline. Signalled to the project workflow; no secret in it. */
export interface Trigger {
  project: ProjectSlug;
  source: TriggerSource;
  /**
   * Equal for the same event: `push:REF:BEFORE:AFTER` from a forge, `request:UUID` from CLI and API,
   * `downstream:PIPELINE:ATTEMPT:JOB` from a trigger job. At most one pipeline
   * a key, for ever.
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
  /** Of whoever asked the API; absent for a forge's events. What nobody vouches for is not protected. */
  role?: 'reader' | 'developer' | 'operator';
  /** The request came with the token of the machine that the server runs on. */
  local?: true;
  defaultBranch?: string;
  /** Where to fetch; absent for `davit run`, whose working tree is already a blob. */
  cloneUrl?: string;
  /** Tar of a working tree with `.git`. */
  sourceBlob?: Digest;
  /** `.gitlab-ci.yml` unless another was asked for. */
  file?: string;
  /** Of `davit run`: what git says has changed in the working tree, see `CompileRequest.changed`. */
  changed?: Record<string, string[]>;
  /** Of `davit run`: what git says of `CompileRequest.lastCommits`. */
  lastCommits?: Record<string, string>;
  /** Run only these jobs and what they need. */
  jobs?: string[];
  variables?: Record<string, string>;
  /** For `spec:inputs` of the pipeline's own file. */
  inputs?: Record<string, InputValue>;
  /** Of `davit run` with the davit of its own machine: where all workers are on one, a tag that none has keeps no job from it. */
  here?: boolean;
  mergeRequest?: {
    iid: number;
    sourceBranch: string;
    targetBranch: string;
    sourceSha: string;
    title: string;
    /** What the forge's event says beside it; each is absent where it says nothing. */
    id?: string;
    /** Login of who opened it, as the forge says. */
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
  /** Of the project at its forge, as its event says. */
  repository?: ForgeRepository;
  /** Head repository differs from the project's, or is unknown. */
  fork: boolean;
  /** Found by comparing heads, no delivery came: it starts only while it is the forge's head and no run is known of it. */
  reconciled?: {
    /** Whole: refs/heads/main */
    ref: string;
    /** What the ref names; of an annotated tag the tag. */
    after: string;
  };
  /** Of sources `parent_pipeline` and `pipeline`: the job of another pipeline that asked. */
  upstream?: Upstream;
  /** Epoch ms, server's clock. */
  receivedAt: number;
}

/** Key of a push event. `ref` is whole, `before` all zeros for a new ref, `after` is what the ref names now. */
export const pushKey = (push: { ref: string; before: string; after: string }): string =>
  `push:${push.ref}:${push.before}:${push.after}`;

export interface ForgeRepository {
  id?: string;
  /** `group/project` */
  path?: string;
  /** Its page. */
  url?: string;
  description?: string;
  visibility?: 'private' | 'internal' | 'public';
}

/** At most one pipeline for each attempt of a trigger job, for ever. */
export const downstreamKey = (of: Pick<Upstream, 'pipeline' | 'job' | 'attempt'>): string =>
  `downstream:${of.pipeline}:${of.attempt}:${of.job}`;
