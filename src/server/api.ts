/**
 * The HTTP API between server, CLI and workers: paths, who may, and JSON shapes. Types only; `routes/` serves it,
 * `src/cli/client/api-client.ts` and `src/adapters/http/` call it.
 *
 * People (bearer token of a user; reader < developer < operator):
 *   GET  /healthz                                             anybody   Health
 *   POST /api/v1/blobs                       (body: bytes)    developer { digest, bytes }
 *   GET  /api/v1/blobs/:digest                                operator  bytes
 *   POST /api/v1/projects/:slug/pipelines    StartRequest     developer 202 { key }
 *   GET  /api/v1/projects/:slug/requests/:key                 reader    KeyLookup
 *   POST /api/v1/projects/:slug/environments/stop             developer {name} → StopAnswer
 *   GET  /api/v1/projects/:slug                               reader    ProjectStatus
 *   GET  /api/v1/pipelines?project=&limit=                    reader    PipelineSummary[] newest first
 *   GET  /api/v1/pipelines/:slug/:iid                         reader    PipelineStatus
 *   GET  /api/v1/pipelines/:slug/:iid/events                  reader    SSE: `status` PipelineStatus on every change
 *   POST /api/v1/pipelines/:slug/:iid/decisions DecisionRequest developer (gate: operator or approver) DecisionAnswer
 *   POST /api/v1/pipelines/:slug/:iid/cancel                  developer { accepted: true }
 *   GET  /api/v1/pipelines/:slug/:iid/log?job=&attempt=&offset= reader  bytes; headers x-davit-log-*
 *   GET  /api/v1/pipelines/:slug/:iid/log/follow?job=&attempt=&offset= reader SSE: `chunk` LogChunkEvent, `end` LogEndEvent
 *   GET  /api/v1/pipelines/:slug/:iid/artifacts?job=          reader    tar.gz of that job's artifacts; &reports=1 its reports
 *   GET  /api/v1/workers                                      reader    WorkerReport[]
 *   POST /api/v1/collection                  {dryRun}         operator  Collected
 *   GET  /api/v1/reconciliation                               reader    Reconciliation[]
 * Browsers: GET /pages/:slug and /pages/:slug/*  sites of jobs: whoever has a token (as password too), or everybody
 * Forges: POST /webhooks/:forge/:slug  and  POST /webhooks/:forge (project found by the repository's name)
 * Workers (bearer worker token): /internal/v1/... blobs, records, logs, workers; shapes are private to `src/adapters/http`.
 * Errors of every route: ApiError with the HTTP status of its code.
 */
import type { ErrorCode } from '../errors.ts';
import type { ProjectSlug } from '../plan/model/ids.ts';
import type { Decision } from '../plan/model/protocol.ts';
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
/** Of each project whose heads are compared: the last look. */
export interface Reconciliation {
  project: ProjectSlug;
  /** Epoch ms; absent: none has succeeded yet. */
  at?: number;
  refs: number;
  /** Refs that moved, and of which no run is known yet. */
  pending: string[];
  /** The last push that was started without a delivery. */
  found?: { ref: string; sha: string; at: number };
  problem?: string;
  /** How often it is looked, ms. */
  every: number;
}
/** What the CLI and API clients may say of a pipeline to start; the server adds project, actor, source and time. */
export type StartRequest = Pick<
  Trigger,
  | 'key'
  | 'ref'
  | 'refKind'
  | 'sha'
  | 'before'
  | 'title'
  | 'message'
  | 'sourceBlob'
  | 'file'
  | 'changed'
  | 'lastCommits'
  | 'jobs'
  | 'variables'
  | 'here'
  | 'inputs'
  | 'defaultBranch'
> & { source: 'cli' | 'api' | 'web' };
export interface DecisionRequest {
  action: Decision['action'];
  job: string;
  comment?: string;
  /** Needed for a job with a confirmation text. */
  confirm?: boolean;
}
export interface LogChunkEvent {
  offset: number;
  /** base64 */
  bytes: string;
  /** Whoever comes back asks for this one: another may have begun meanwhile. Not told by servers before this version. */
  attempt?: number;
}
export interface LogEndEvent {
  bytes: number;
  crc: string;
  complete: boolean;
}
/** Answer to stopping an environment: what it was. */
export interface StopAnswer {
  accepted: true;
  was: 'available' | 'stopping' | 'stopped';
}
export interface StartAnswer {
  key: string;
  project: ProjectSlug;
}
/** Of a webhook: 202 with the event's key once it is durable, or 200 with the reason why it starts nothing. */
export type WebhookAnswer = { key: string; project: ProjectSlug } | { ignored: string };

/** `HOME/run.json`: what runs on this machine now, for the CLI and a second `davit up`. No secret in it. */
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
  /** `mark`: when it was started; ids are used again. */
  processes: { name: string; pid: number; mark?: string }[];
}
