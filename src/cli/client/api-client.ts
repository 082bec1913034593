/**
 * Client of the server's API (`src/server/api.ts`) for the command line. An error response becomes the
 * DavitError that it names; an unreachable server is `cli/no-server`. Redirects are not followed, so the
 * token goes to one origin only.
 */
import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { text as textOfBody } from 'node:stream/consumers';
import { z } from 'zod';
import type { Collected, DiskUsage, ShownImages } from '../../adapters/ports.ts';
import { DavitError, ERRORS, type ErrorCode } from '../../errors.ts';
import type { AuditPage } from '../../plan/model/audit.ts';
import type { DeliveriesPage } from '../../plan/model/delivery.ts';
import type { Digest, PipelineId, ProjectSlug } from '../../plan/model/ids.ts';
import type { DecisionAnswer, KeyLookup, PipelineStatus, ProjectStatus } from '../../plan/model/protocol.ts';
import type { WorkerReport } from '../../plan/model/queues.ts';
import type { DeployTokenRecord, PipelineSummary } from '../../plan/model/records.ts';
import type {
  AgainRequest,
  ApiError,
  DecisionRequest,
  ChecksAsked,
  DrainRequest,
  DrainResponse,
  FleetView,
  Health,
  RemoveRequest,
  RemoveResponse,
  ListedWorkerToken,
  MadeWorkerToken,
  CommitStatuses,
  Reconciliation,
  RetryRequest,
  RetryResponse,
  TemporalPlace,
  RevokedWorkerTokens,
  StartResponse,
  StopResponse,
  StartRequest,
  WorkerTokenRequest,
} from '../../server/api.ts';
import { untrustedReason } from '../../utils/untrusted.ts';
import { HttpClient } from './http.ts';
import { readEvents, type SseEvent } from './sse.ts';

export interface LogPage {
  attempt: number;
  complete: boolean;
  /** Rejects with `cli/no-server` if the connection is lost midway. */
  body: AsyncIterable<Uint8Array>;
}
export interface LogPlace {
  job: string;
  attempt?: number;
  /** First byte. */
  offset?: number;
}
interface Call {
  method: 'GET' | 'POST';
  path: string;
  query?: Record<string, string | number | undefined>;
  json?: unknown;
  bytes?: Readable;
  signal?: AbortSignal;
}

const MAX_ERROR_CHARS = 64 * 1024;
const apiError: z.ZodType<ApiError> = z.object({
  error: z.object({
    code: z.string().refine((code): code is ErrorCode => Object.hasOwn(ERRORS, code)),
    message: z.string(),
    hint: z.string(),
  }),
});

export class ApiClient {
  readonly url: string;
  readonly #token: string;
  readonly #http = new HttpClient();

  constructor(url: string, token: string) {
    this.url = url.replace(/\/+$/, '');
    this.#token = token;
  }

  health = (): Promise<Health> => this.#json({ method: 'GET', path: '/healthz' });
  /** Stores bytes. The caller retries after a lost connection; storing a blob twice is harmless. */
  putBlob = (bytes: Readable, signal?: AbortSignal): Promise<{ digest: Digest; bytes: number }> =>
    this.#json({ method: 'POST', path: '/api/v1/blobs', bytes, signal });
  start = (slug: ProjectSlug, request: StartRequest, signal?: AbortSignal): Promise<StartResponse> =>
    this.#json({ method: 'POST', path: `/api/v1/projects/${part(slug)}/pipelines`, json: request, signal });
  /** With `waitS` it waits so many seconds for the decision of the project. */
  lookup = (
    slug: ProjectSlug,
    key: string,
    { waitS, signal }: { waitS?: number; signal?: AbortSignal } = {},
  ): Promise<KeyLookup> =>
    this.#json({
      method: 'GET',
      path: `/api/v1/projects/${part(slug)}/requests/${part(key)}`,
      query: { wait: waitS },
      signal,
    });
  pipelines = (filter: { project?: string; limit?: number }): Promise<PipelineSummary[]> =>
    this.#json({ method: 'GET', path: '/api/v1/pipelines', query: filter });
  status = (id: PipelineId, signal?: AbortSignal): Promise<PipelineStatus> =>
    this.#json({ method: 'GET', path: pipelinePath(id), signal });
  decide = (id: PipelineId, decision: DecisionRequest): Promise<DecisionAnswer> =>
    this.#json({ method: 'POST', path: `${pipelinePath(id)}/decisions`, json: decision });
  /** Failed and cancelled jobs of the pipeline again. */
  retryPipeline = (id: PipelineId, request: RetryRequest): Promise<RetryResponse> =>
    this.#json({ method: 'POST', path: `${pipelinePath(id)}/retry`, json: request });
  /** The pipeline again, as a new one. */
  again = (id: PipelineId, request: AgainRequest, signal?: AbortSignal): Promise<StartResponse> =>
    this.#json({ method: 'POST', path: `${pipelinePath(id)}/again`, json: request, signal });
  cancel = (id: PipelineId): Promise<{ accepted: true }> =>
    this.#json({ method: 'POST', path: `${pipelinePath(id)}/cancel` });
  project = (slug: ProjectSlug): Promise<ProjectStatus> =>
    this.#json({ method: 'GET', path: `/api/v1/projects/${part(slug)}` });
  stopEnvironment = (slug: ProjectSlug, name: string): Promise<StopResponse> =>
    this.#json({
      method: 'POST',
      path: `/api/v1/projects/${part(slug)}/environments/stop`,
      json: { name },
    });
  collect = (dryRun: boolean): Promise<Collected> =>
    this.#json({ method: 'POST', path: '/api/v1/collection', json: { dryRun } });
  usage = (): Promise<DiskUsage> => this.#json({ method: 'GET', path: '/api/v1/usage' });
  imageUsage = (): Promise<ShownImages> => this.#json({ method: 'GET', path: '/api/v1/usage/images' });
  reconciliation = (): Promise<Reconciliation[]> =>
    this.#json({ method: 'GET', path: '/api/v1/reconciliation' });
  commitStatuses = (): Promise<CommitStatuses[]> =>
    this.#json({ method: 'GET', path: '/api/v1/commit-statuses' });
  temporal = (): Promise<TemporalPlace> => this.#json({ method: 'GET', path: '/api/v1/temporal' });
  deployTokens = (): Promise<DeployTokenRecord[]> =>
    this.#json({ method: 'GET', path: '/api/v1/deploy-tokens' });
  revokeDeployToken = (id: string): Promise<DeployTokenRecord> =>
    this.#json({ method: 'POST', path: `/api/v1/deploy-tokens/${part(id)}/revoke` });
  workerTokens = (): Promise<ListedWorkerToken[]> =>
    this.#json({ method: 'GET', path: '/api/v1/worker-tokens' });
  createWorkerToken = (request: WorkerTokenRequest): Promise<MadeWorkerToken> =>
    this.#json({ method: 'POST', path: '/api/v1/worker-tokens', json: request });
  revokeWorkerTokens = (of: { name: string; id?: string }): Promise<RevokedWorkerTokens> =>
    this.#json({ method: 'POST', path: '/api/v1/worker-tokens/revoke', json: of });
  deliveries = (query: { project?: string; limit: number }): Promise<DeliveriesPage> =>
    this.#json({ method: 'GET', path: '/api/v1/deliveries', query });
  audit = (query: { since?: string; limit: number; kinds: string }): Promise<AuditPage> =>
    this.#json({ method: 'GET', path: '/api/v1/audit', query });
  fleet = (): Promise<FleetView> => this.#json({ method: 'GET', path: '/api/v1/fleet' });
  askForChecks = (): Promise<ChecksAsked> => this.#json({ method: 'POST', path: '/api/v1/fleet/checks' });
  drainWorker = (request: DrainRequest): Promise<DrainResponse> =>
    this.#json({ method: 'POST', path: '/api/v1/fleet/drain', json: request });
  removeWorker = (request: RemoveRequest): Promise<RemoveResponse> =>
    this.#json({ method: 'POST', path: '/api/v1/fleet/remove', json: request });
  workers = (): Promise<WorkerReport[]> => this.#json({ method: 'GET', path: '/api/v1/workers' });

  /** The log from an offset to its current end. */
  async log(id: PipelineId, place: LogPlace): Promise<LogPage> {
    const response = await this.#send({
      method: 'GET',
      path: `${pipelinePath(id)}/log`,
      query: { ...place },
    });
    const attempt = Number(response.headers['x-davit-log-attempt']);
    return {
      attempt,
      complete: response.headers['x-davit-log-complete'] !== 'false',
      body: this.#unbroken(response),
    };
  }

  /** `status` events with a PipelineStatus; ends when the connection does. */
  statusEvents = (id: PipelineId, signal: AbortSignal): AsyncGenerator<SseEvent> =>
    this.#events({ method: 'GET', path: `${pipelinePath(id)}/events`, signal });
  /** `chunk` and `end` events of one log. */
  logEvents = (id: PipelineId, place: LogPlace, signal: AbortSignal): AsyncGenerator<SseEvent> =>
    this.#events({ method: 'GET', path: `${pipelinePath(id)}/log/follow`, query: { ...place }, signal });

  /** `entry` events: first those since the time, then new ones. */
  auditEvents = (query: { since: string; kinds: string }, signal: AbortSignal): AsyncGenerator<SseEvent> =>
    this.#events({ method: 'GET', path: '/api/v1/audit/follow', query: { ...query, limit: 10_000 }, signal });

  close = (): void => this.#http.close();

  async *#events(call: Call): AsyncGenerator<SseEvent> {
    const response = await this.#send(call);
    yield* readEvents(textOf(response));
  }

  async *#unbroken(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    try {
      yield* body;
    } catch (cause) {
      throw this.#away(cause);
    }
  }

  #away(cause: unknown): DavitError {
    const reason = untrustedReason(cause);
    if (reason !== undefined)
      return new DavitError(
        'tls/untrusted',
        `The certificate of ${this.url} cannot be verified (${reason}).`,
        {
          cause,
        },
      );
    const text = `The server at ${this.url} does not respond (${reasonOf(cause)}).`;
    return new DavitError('cli/no-server', text, { cause });
  }

  async #json<T>(call: Call): Promise<T> {
    const response = await this.#send(call);
    try {
      // Shapes are checked by the server, which has the same version; a body that is not JSON is not from
      // davit.
      return JSON.parse(await textOfBody(response)) as T;
    } catch (cause) {
      if (!(cause instanceof SyntaxError)) throw this.#away(cause);
      throw new DavitError('cli/bad-answer', `The response of ${this.url} is not JSON.`, {
        cause,
      });
    }
  }

  async #send(call: Call): Promise<IncomingMessage> {
    let response: IncomingMessage;
    try {
      response = await this.#http.send({
        method: call.method,
        url: `${this.url}${call.path}${queryText(call.query)}`,
        headers: { authorization: `Bearer ${this.#token}`, ...contentType(call) },
        body: call.json === undefined ? call.bytes : JSON.stringify(call.json),
        signal: call.signal,
      });
    } catch (cause) {
      if (call.signal?.aborted) throw cause;
      throw this.#away(cause);
    }
    if ((response.statusCode ?? 500) < 300) return response;
    throw await this.#refusal(response);
  }

  async #refusal(response: IncomingMessage): Promise<DavitError> {
    const whole = await textOfBody(response).catch((cause: unknown) => {
      throw this.#away(cause);
    });
    const text = whole.slice(0, MAX_ERROR_CHARS);
    const parsed = apiError.safeParse(parseJson(text));
    if (parsed.success) {
      const { code, message, hint } = parsed.data.error;
      return new DavitError(code, message, { hint });
    }
    return new DavitError('cli/bad-answer', `${this.url} returned HTTP status ${response.statusCode}.`);
  }
}

async function* textOf(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  for await (const chunk of bytes) yield decoder.decode(chunk, { stream: true });
}

const part = encodeURIComponent;
const pipelinePath = (id: PipelineId): string => `/api/v1/pipelines/${id.split('/').map(part).join('/')}`;
const contentType = (call: Call): Record<string, string> =>
  call.json !== undefined
    ? { 'content-type': 'application/json' }
    : call.bytes
      ? { 'content-type': 'application/octet-stream' }
      : {};
function queryText(query: Call['query']): string {
  const text = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {}))
    if (value !== undefined) text.set(name, String(value));
  return text.size === 0 ? '' : `?${text.toString()}`;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // not a response of davit: the caller reports it
  }
}

function reasonOf(cause: unknown): string {
  if (cause instanceof Error && 'code' in cause && typeof cause.code === 'string') return cause.code;
  return cause instanceof Error ? cause.message : 'no connection';
}
