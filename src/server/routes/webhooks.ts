/**
 * Role: deliveries of forges. Checks in this order: size and time, raw bytes, proof, and only then JSON, its
 * form, the repository, and what it starts. Returns 202 only after Temporal has the signal; nothing is
 * written before.
 * Not its role: duplicate events (the project's workflow), permissions of a pipeline (compile).
 *
 * Invariants:
 * WEBHOOK-1 A body is not parsed before its proof is valid for a project of that forge. A project without a
 *           secret accepts no delivery.
 * WEBHOOK-2 A wrong proof, an unknown project and a project without a secret return the same response.
 * WEBHOOK-3 Every delivery gets a response with its result before the forge gives up.
 */
import type { IncomingHttpHeaders } from 'node:http';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { DavitError } from '../../errors.ts';
import { skippedRecordName, type SkippedRecord } from '../../plan/model/records.ts';
import type { Trigger } from '../../plan/model/trigger.ts';
import type { WebhookResponse } from '../api.ts';
import type { ServerDeps, WebhookProject } from '../deps.ts';
import { FairQueue } from '../webhooks/fair-queue.ts';
import { Budget, withRawBody } from '../webhooks/raw-body.ts';
import type { EventTrigger, ForgeEvent } from '../webhooks/event.ts';
import { githubEvent } from '../webhooks/github.ts';
import { gitlabEvent } from '../webhooks/gitlab.ts';
import { isForge, needsBody, proofOf, proves, type ForgeName } from '../webhooks/signature.ts';
import { sha256 } from '../../utils/sha256.ts';

const MAX_RUNNING = 128;
const MAX_WAITING = 10_000;
const params = z.object({ forge: z.string().refine(isForge), slug: z.string().max(64).optional() });

export function webhookRoutes(app: FastifyInstance, deps: ServerDeps): void {
  const receiver = new Receiver(deps);
  void app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', (_request, payload, done) => done(null, payload));
    for (const url of ['/webhooks/:forge', '/webhooks/:forge/:slug'])
      scope.post(url, { config: { access: 'webhook' } }, (request, reply) =>
        receiver.receive(request, reply),
      );
  });
}

class Receiver {
  readonly #deps: ServerDeps;
  readonly #gate = new FairQueue({ maxRunning: MAX_RUNNING, maxWaiting: MAX_WAITING });
  readonly #budget: Budget;

  constructor(deps: ServerDeps) {
    this.#deps = deps;
    this.#budget = new Budget(deps.limits.webhookTotalBytes);
  }

  async receive(request: FastifyRequest, reply: FastifyReply): Promise<WebhookResponse> {
    const parsed = params.safeParse(request.params);
    if (!parsed.success)
      throw new DavitError(
        'not-found',
        'Unknown forge: use /webhooks/gitlab, /webhooks/github or /webhooks/gitea.',
      );
    const { forge, slug } = parsed.data;
    const { headers, body } = request;
    const candidates = this.#deps.webhooks.filter(
      ({ project }) => project.forge === forge && (slug === undefined || project.name === slug),
    );
    const proof = proofOf(forge, headers);
    const check = (raw: Buffer): WebhookProject[] =>
      proof ? candidates.filter(({ secret }) => proves(forge, secret, { proof, raw })) : [];
    // Refuse as early as possible, before the body is read.
    if (!proof || candidates.length === 0 || (!needsBody(forge) && check(Buffer.alloc(0)).length === 0))
      throw this.#unproven(forge, slug, headers);
    const { webhookBytes: maxBytes, webhookBodyMs: totalMs } = this.#deps.limits;
    const limits = { maxBytes, totalMs, budget: this.#budget, length: headers['content-length'] };
    return withRawBody(body, limits, async (raw) => {
      const proven = check(raw);
      if (proven.length === 0) throw this.#unproven(forge, slug, headers);
      const event = readEvent(forge, headers, raw);
      if (event.kind === 'ignored') return this.#ignore(event, proven);
      return this.#start({ event, project: ofRepository(proven, event.repository), headers, raw, reply });
    });
  }

  /**
   * Records a head that requests no pipeline, so that the reconciler does not treat it as a lost delivery, and tells the
   * project about a ref that is gone.
   */
  async #ignore(
    { reason, repository, skipped, deleted }: Extract<ForgeEvent, { kind: 'ignored' }>,
    proven: readonly WebhookProject[],
  ): Promise<WebhookResponse> {
    const known = proven.find(({ project }) => sameRepository(project.repository, repository));
    if (known && skipped) {
      const name = skippedRecordName(known.project.name, sha256(skipped.ref));
      await this.#deps.records.put<SkippedRecord>(name, { sha: skipped.after });
    }
    if (known && deleted) {
      const { name } = known.project;
      const deadline = Date.now() + this.#deps.limits.webhookAnswerMs;
      await this.#gate.run(name, deadline, () =>
        this.#deps.workflows.refDeleted(name, deleted, Math.max(1, deadline - Date.now())),
      );
    }
    return { ignored: reason };
  }

  async #start(delivery: {
    event: { trigger: EventTrigger };
    project: WebhookProject['project'];
    headers: IncomingHttpHeaders;
    raw: Buffer;
    reply: FastifyReply;
  }): Promise<WebhookResponse> {
    const { event, project, headers, raw, reply } = delivery;
    const now = Date.now();
    const trigger: Trigger = {
      ...event.trigger,
      project: project.name,
      deliveryId: deliveryId(headers, raw),
      defaultBranch: event.trigger.defaultBranch ?? project.default_branch,
      // The operator's address has precedence over that of the payload.
      cloneUrl: project.clone_url ?? event.trigger.cloneUrl,
      receivedAt: now,
    };
    const deadline = now + this.#deps.limits.webhookAnswerMs;
    await this.#gate.run(project.name, deadline, () =>
      this.#deps.workflows.trigger(trigger, Math.max(1, deadline - Date.now())),
    );
    void reply.code(202);
    return { key: trigger.key, project: project.name };
  }

  /** WEBHOOK-2; the log has the details. */
  #unproven(forge: ForgeName, slug: string | undefined, headers: IncomingHttpHeaders): DavitError {
    this.#deps.log.warn('refused a delivery: its signature matches no project of this forge', {
      forge,
      slug,
    });
    return new DavitError(
      'webhook/signature',
      `The delivery is not signed for a project of ${forge}.`,
      isForm(headers) ? { hint: JSON_HINT } : {},
    );
  }
}

/** Parses a payload with the forge's schema; the error names the missing field, never content. */
function readEvent(forge: ForgeName, headers: IncomingHttpHeaders, raw: Buffer): ForgeEvent {
  const kind = headers[forge === 'gitea' ? 'x-gitea-event' : 'x-github-event'];
  try {
    const payload: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(raw));
    return forge === 'gitlab'
      ? gitlabEvent(payload)
      : githubEvent(typeof kind === 'string' ? kind : '', payload);
  } catch (error) {
    const where = error instanceof z.ZodError ? error.issues[0]?.path.map(String).join('.') : undefined;
    throw new DavitError(
      'webhook/body',
      where === undefined
        ? isForm(headers)
          ? 'The body is a form and not JSON.'
          : 'The body is not valid JSON.'
        : `The payload has no valid field ${where || '(not an object)'}.`,
      { cause: error, ...(isForm(headers) && { hint: JSON_HINT }) },
    );
  }
}

/** Gitea signs the JSON inside of a form, GitHub the form; davit reads neither. */
const isForm = (headers: IncomingHttpHeaders): boolean =>
  /^application\/x-www-form-urlencoded/i.test(headers['content-type'] ?? '');
const JSON_HINT = 'Set the content type of the webhook at the forge to application/json.';

/** Forges treat repository names as case-insensitive. */
function ofRepository(proven: readonly WebhookProject[], repository: string): WebhookProject['project'] {
  const found = proven.find(({ project }) => sameRepository(project.repository, repository));
  if (!found)
    throw new DavitError(
      'webhook/repository',
      'The delivery is signed for another project than that of its repository.',
    );
  return found.project;
}

const sameRepository = (one: string | undefined, other: string | undefined): boolean =>
  one !== undefined && one.toLowerCase() === other?.toLowerCase();
/**
 * Equal if a forge sends the same delivery again. The header is not signed, so it is only a hint for the
 * workflow.
 */
function deliveryId(headers: IncomingHttpHeaders, raw: Buffer): string {
  const given = [
    headers['x-github-delivery'],
    headers['idempotency-key'],
    headers['x-gitlab-event-uuid'],
    headers['x-gitea-delivery'],
  ].find((value) => typeof value === 'string' && /^[A-Za-z0-9._:-]{1,128}$/.test(value));
  return typeof given === 'string' ? given : `body:${sha256(raw)}`;
}
