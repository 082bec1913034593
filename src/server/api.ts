/**
 * The HTTP API between server, CLI and workers: paths, access and JSON shapes. Types only; `routes/` serves
 * it, and `src/cli/client/api-client.ts` and `src/adapters/http/` call it.
 *
 * People (bearer token of a user; reader < developer < operator):
 *   GET  /healthz                                             anybody   Health
 *   POST /api/v1/blobs                       (body: bytes)    developer { digest, bytes }
 *   GET  /api/v1/blobs/:digest                                operator  bytes
 *   POST /api/v1/projects/:slug/pipelines    StartRequest     developer 202 { key }
 *   GET  /api/v1/projects/:slug/requests/:key[?wait=SECONDS]  reader    KeyLookup; waits until the project has decided
 *   POST /api/v1/projects/:slug/environments/stop             developer {name} → StopResponse
 *   GET  /api/v1/projects/:slug                               reader    ProjectStatus
 *   GET  /api/v1/pipelines?project=&limit=                    reader    PipelineSummary[] newest first
 *   GET  /api/v1/pipelines/:slug/:iid                         reader    PipelineStatus
 *   GET  /api/v1/pipelines/:slug/:iid/events                  reader    SSE: `status` PipelineStatus on every change
 *   POST /api/v1/pipelines/:slug/:iid/decisions DecisionRequest developer (gate: operator or approver) DecisionAnswer
 *   POST /api/v1/pipelines/:slug/:iid/retry    RetryRequest   developer RetryResponse: failed and cancelled jobs
 *   POST /api/v1/pipelines/:slug/:iid/again    AgainRequest   developer 202 StartResponse: as a new pipeline
 *   POST /api/v1/pipelines/:slug/:iid/cancel                  developer { accepted: true }
 *   GET  /api/v1/pipelines/:slug/:iid/log?job=&attempt=&offset= reader  bytes; headers x-davit-log-*
 *   GET  /api/v1/pipelines/:slug/:iid/log/follow?job=&attempt=&offset= reader SSE: `chunk` LogChunkEvent, `end` LogEndEvent
 *   GET  /api/v1/pipelines/:slug/:iid/artifacts?job=          reader    tar.gz of that job's artifacts; &reports=1 its reports
 *   GET  /api/v1/workers                                      reader    WorkerReport[]
 *   GET  /api/v1/fleet                                        reader    FleetView; tokens and refused calls for operators
 *   POST /api/v1/fleet/checks                                 operator  ChecksAsked
 *   POST /api/v1/fleet/drain                 DrainRequest     operator  DrainResponse
 *   POST /api/v1/fleet/remove                RemoveRequest    operator  RemoveResponse
 *   GET  /api/v1/worker-tokens                                operator  ListedWorkerToken[]
 *   POST /api/v1/worker-tokens               WorkerTokenRequest operator MadeWorkerToken
 *   POST /api/v1/worker-tokens/revoke        {name, id?}      operator  RevokedWorkerTokens
 *   POST /api/v1/collection                  {dryRun}         operator  Collected
 *   GET  /api/v1/usage                                        operator  DiskUsage
 *   GET  /api/v1/usage/images                                 operator  ShownImages
 *   GET  /api/v1/audit?since=&limit=&kinds=                   operator  AuditPage
 *   GET  /api/v1/audit/follow?since=&kinds=                   operator  SSE: `entry` AuditEntry
 *   POST /api/v1/codec/decode, /encode       { payloads }      operator  { payloads }; also with basic authentication
 *   GET  /api/v1/codec                                        operator  text; for browsers, before Temporal's UI asks
 *   OPTIONS of both                                           anybody   CORS for temporal_ui
 *   GET  /api/v1/deliveries?project=&limit=                   developer DeliveriesPage
 *   GET  /api/v1/reconciliation                               reader    Reconciliation[]
 *   GET  /api/v1/commit-statuses                              reader    CommitStatuses[]
 *   GET  /api/v1/temporal                                     reader    TemporalPlace
 *   GET  /api/v1/deploy-tokens                                operator  DeployTokenRecord[]
 *   POST /api/v1/deploy-tokens/:id/revoke                     operator  DeployTokenRecord
 * Jobs: GET /git/:name/info/refs, POST /git/:name/git-upload-pack (name: `PROJECT.git`; Basic, CI_JOB_TOKEN), and with
 * this token as bearer or `JOB-TOKEN`: a pipeline, its log, artifacts.
 * Registries: GET /registry/token  token service of davit's own registry (credentials of jobs, targets and users)
 * Browsers: GET /pipelines/..., /login, POST /login and /logout: pages of `routes/view.ts`, for users and, of public projects,
 * for everybody. GET /pages/:slug and /pages/:slug/*  sites of jobs: for users with a token (also as password), or
 * public
 * Forges: POST /webhooks/:forge/:slug  and  POST /webhooks/:forge (project found by the repository's name)
 * Workers (bearer token of a worker, or of an attempt): /internal/v1/... attempts, blobs, records, logs; shapes are private to
 * `src/adapters/http`.
 * Errors of every route: ApiError with the HTTP status of its code.
 */
import type { ErrorCode } from '../errors.ts';
import type { RunningJob, SeenWorker, Space, WorkerState } from '../plan/model/fleet.ts';
import type { Arch, ProjectSlug } from '../plan/model/ids.ts';
import type { StatusProblem } from '../plan/model/commit-status.ts';
import type { Decision } from '../plan/model/protocol.ts';
import type { WorkerReport } from '../plan/model/queues.ts';
import type { Trigger } from '../plan/model/trigger.ts';

export interface Health {
  ok: boolean;
  version: string;
  temporal: 'up' | 'down';
  installation: string;
}
export interface ApiError {
  error: { code: ErrorCode; message: string; hint: string };
}
/** Where people find pipelines in Temporal. */
export interface TemporalPlace {
  namespace: string;
  /** Address of its UI, if the installation file has it. */
  ui?: string | undefined;
}
/** The last comparison of a project with its forge. */
export interface Reconciliation {
  project: ProjectSlug;
  /** Epoch ms; absent: none has succeeded yet. */
  at?: number;
  refs: number;
  /** Refs that moved and have no known pipeline yet. */
  pending: string[];
  /** The last push whose pipeline was started without a delivery. */
  found?: { ref: string; sha: string; at: number };
  problem?: string;
  /** Interval of the comparison, ms. */
  every: number;
}
/** How commits of a project are told to its forge. */
export interface CommitStatuses {
  project: ProjectSlug;
  /** Those of branches, tags and merge requests. */
  contexts: string[];
  /** A name that gets all of them too. */
  legacy?: string;
  /** Why the forge is not told. */
  problem?: StatusProblem;
}
/**
 * What the CLI and API clients may set for a pipeline to start; the server adds project, actor, source and
 * time.
 */
export type StartRequest = Pick<
  Trigger,
  | 'key'
  | 'message'
  | 'sourceBlob'
  | 'file'
  | 'changed'
  | 'lastCommits'
  | 'jobs'
  | 'variables'
  | 'here'
  | 'origin'
  | 'inputs'
  | 'defaultBranch'
> &
  /** Without a ref: the default branch; without its kind: the branch or tag with the name. */
  Partial<Pick<Trigger, 'ref' | 'refKind' | 'before' | 'title'>> & {
    source: 'cli' | 'api' | 'web';
    /** Absent: the current commit of the branch or tag. */
    sha?: string;
  };
/** The key of a new pipeline: there is one for each. */
export interface AgainRequest {
  key: string;
}
export interface RetryRequest {
  comment?: string;
}
/** Jobs that run again, and those that may not, with the reason. */
export interface RetryResponse {
  retried: string[];
  refused: { job: string; message: string }[];
}
export interface DecisionRequest {
  action: Decision['action'];
  job: string;
  comment?: string;
  /** Required for a job with a confirmation text. */
  confirm?: boolean;
}
export interface LogChunkEvent {
  offset: number;
  /** base64 */
  bytes: string;
  /**
   * A client that reconnects requests this attempt: another may have started. Older servers do not send it.
   */
  attempt?: number;
}
export interface LogEndEvent {
  bytes: number;
  crc: string;
  complete: boolean;
}
/** Response to a stop of an environment, with its previous state. */
export interface StopResponse {
  accepted: true;
  was: 'available' | 'stopping' | 'stopped';
}
/** A call with a token that is not that of a worker now. Times: epoch ms. */
export interface RefusedCall {
  /** Address of the caller. */
  from: string;
  why: 'unknown' | 'expired';
  /** Name of the token, if it is one that has expired. */
  name?: string | undefined;
  times: number;
  first: number;
  last: number;
}
/** A machine, as people know it: one row for each of its workers, or one without a worker. */
export interface FleetMachine {
  name: string;
  state: WorkerState;
  report?: WorkerReport;
  /** What was known of one that is gone. */
  seen?: SeenWorker;
  /** It has a token of its own. */
  hasToken?: boolean;
}
export interface FleetView {
  /** The server's clock, epoch ms. */
  now: number;
  server: {
    version: string;
    temporal: 'up' | 'down';
    /** Where logs and blobs are stored. */
    space?: Space | undefined;
    /** Why clients refuse its certificate. */
    certificate?: string | undefined;
  };
  machines: FleetMachine[];
  refused: RefusedCall[];
}
/** Since when checks of workers count as new, epoch ms. */
export interface ChecksAsked {
  since: number;
}
export interface DrainRequest {
  name: string;
  /** It takes jobs again. */
  off?: boolean;
}
export interface DrainResponse {
  name: string;
  draining: boolean;
  running: RunningJob[];
}
export interface RemoveRequest {
  name: string;
  /** Also while it runs jobs. */
  force?: boolean;
}
export interface RemoveResponse {
  /** Tokens that count no more. */
  revoked: number;
  hostNames: string[];
}
/** A token of a worker, without the token. Times: epoch ms. */
export interface ListedWorkerToken {
  name: string;
  id: string;
  control?: boolean;
  forks?: boolean;
  protected_only?: boolean;
  projects?: readonly string[] | undefined;
  by?: string;
  at?: number;
  /** It counts until then. */
  until?: number | undefined;
  /** Absent: not since the server started. */
  usedAt?: number | undefined;
}
export interface WorkerTokenRequest {
  name: string;
  control?: boolean;
  forks?: boolean;
  protected_only?: boolean;
  projects?: readonly string[];
  /** Until it ends by itself. */
  expiresInMs?: number;
}
/** The token is in this response alone. */
export interface MadeWorkerToken {
  token: string;
  id: string;
}
export interface RevokedWorkerTokens {
  revoked: number;
}
export interface StartResponse {
  key: string;
  project: ProjectSlug;
}
/**
 * Response to a webhook: 202 with the event's key once it is durable, or 200 with the reason for ignoring it.
 */
export type WebhookResponse = { key: string; project: ProjectSlug } | { ignored: string };

/**
 * `HOME/run.json`: the davit that runs on this machine, for the CLI and a second `davit up`. Contains no
 * secret.
 */
export interface RunFile {
  pid: number;
  version: string;
  startedAt: number;
  server: string;
  temporal: string;
  temporalUi?: string;
  namespace: string;
  registry: string;
  helperImage: string;
  /** That its own worker was told to keep to; a restart keeps to them too. */
  arches?: Arch[] | undefined;
  /** `mark`: start time; process ids are reused. */
  processes: { name: string; pid: number; mark?: string }[];
}
