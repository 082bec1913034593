/**
 * Role: writes an audit entry for each request that changes or decides something, and for each that is refused.
 *
 * Invariants:
 * AUDIT-1 The entry of a person's or forge's request is on disk before the response goes out; a disk that is full
 *         or slow delays no response by more than `PATIENCE_MS`, and breaks none.
 * AUDIT-2 What could not be written is counted, and told: in the log, in the next entry, to who reads the trail.
 * AUDIT-3 Nothing of a request is written but the fields that `rules.ts` names; secrets that the server knows,
 *         and the request's own token, are removed from these.
 */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { AuditLog } from '../../adapters/ports.ts';
import { DavitError } from '../../errors.ts';
import type { AuditActor, AuditEntry } from '../../plan/model/audit.ts';
import type { ServerLog } from '../log.ts';
import { aboutOf } from './about.ts';
import { AUDITED, isMissing, type AuditRule } from './rules.ts';
import { Sums } from './sums.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Code of the error that the request gets. */
    failedWith: string | undefined;
  }
}

const PATIENCE_MS = 500;
const TELL_EVERY_MS = 60_000;

interface RecorderDeps {
  audit: AuditLog;
  log: ServerLog;
}

export function auditRequests(app: FastifyInstance, { audit, log }: RecorderDeps): void {
  const recorder = new Recorder({ audit, log });
  app.addHook('onRoute', ({ method, url }) => {
    for (const one of [method].flat())
      if (isMissing(one, url))
        throw new DavitError('internal/defect', `The route ${one} ${url} has no audit rule.`);
  });
  app.decorateRequest('failedWith', undefined);
  app.addHook('onSend', (request, reply, payload) => recorder.record(request, reply.statusCode, payload));
  app.addHook('onClose', async () => recorder.close());
}

class Recorder {
  readonly #deps: RecorderDeps;
  readonly #sums: Sums;
  #toldAt = 0;

  constructor(deps: RecorderDeps) {
    this.#deps = deps;
    this.#sums = new Sums((entry) => void this.#append(entry));
  }

  async record(request: FastifyRequest, status: number, payload: unknown): Promise<void> {
    const { method, url } = request.routeOptions;
    // Only the "not found" response has no route.
    if (url === undefined) return;
    const route = `${String(method)} ${url}`;
    const rule = AUDITED[route];
    const denied = status === 401 || status === 403;
    if (!rule && !denied) return;
    const entry = this.#entryOf(request, { route, rule, status, payload });
    // Unknown callers are counted, so that a flood of them writes little.
    if (rule?.summed || status === 401) return this.#sums.add(entry);
    const written = this.#append(entry);
    if (!denied) await withPatience(written);
  }

  close(): void {
    this.#sums.close();
  }

  async #append(entry: AuditEntry): Promise<void> {
    if (await this.#deps.audit.append(entry)) return;
    if (Date.now() - this.#toldAt < TELL_EVERY_MS) return;
    this.#toldAt = Date.now();
    const lost = this.#deps.audit.lost();
    this.#deps.log.warn('the audit trail cannot be written; requests go on without it', { lost });
  }

  #entryOf(
    request: FastifyRequest,
    {
      route,
      rule,
      status,
      payload,
    }: { route: string; rule: AuditRule | undefined; status: number; payload: unknown },
  ): AuditEntry {
    const { params, body, failedWith } = request;
    const actor = actorOf(request, status);
    const outcome = status < 400 ? 'done' : status < 500 ? 'refused' : 'failed';
    return {
      at: new Date().toISOString(),
      kind: outcome === 'refused' ? 'refused' : isOfWorker(request, actor) ? 'workers' : 'people',
      actor,
      from: request.ip,
      action: rule?.action ?? 'read',
      outcome,
      route,
      status,
      ...(failedWith !== undefined && { code: failedWith }),
      about: aboutOf(rule, { params, body, payload }, this.#cleanerOf(request)),
    };
  }

  /** AUDIT-3 */
  #cleanerOf({ headers: { authorization } }: FastifyRequest): (text: string) => string {
    const own = authorization?.split(' ').at(-1) ?? '';
    return (text) => {
      const clean = this.#deps.log.redact(text);
      return own.length < 8 ? clean : clean.replaceAll(own, '[REDACTED]');
    };
  }
}

function actorOf(request: FastifyRequest, status: number): AuditActor {
  const { user, worker, attempt, job, deployToken } = request;
  if (user) return { kind: 'user', name: user.name, role: user.role };
  if (job) return { kind: 'job', name: jobName(job.attempt) };
  if (attempt) return { kind: 'job', name: jobName(attempt) };
  if (deployToken !== undefined) return { kind: 'target', name: deployToken };
  const { access } = request.routeOptions.config;
  if (status === 401 || access === undefined) return { kind: 'nobody' };
  if (worker) return { kind: 'worker', ...(worker.machine && { name: worker.machine.name }) };
  if (access === 'webhook') return { kind: 'forge' };
  return { kind: 'nobody' };
}

/** An attempt is a worker's; a job's script and a target ask for themselves, often, as workers do. */
const isOfWorker = ({ attempt, job, deployToken }: FastifyRequest, actor: AuditActor): boolean =>
  actor.kind === 'worker' || [attempt, job, deployToken].some((one) => one !== undefined);

const jobName = ({ pipeline, job, attempt }: { pipeline: string; job: string; attempt: number }): string =>
  `${pipeline} ${job}/${attempt}`;

/** AUDIT-1 */
async function withPatience(work: Promise<unknown>): Promise<void> {
  const late = Promise.withResolvers<void>();
  const timer = setTimeout(late.resolve, PATIENCE_MS);
  try {
    await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
