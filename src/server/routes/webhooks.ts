/**
 * Role: deliveries of forges. In this order: size and time, raw bytes, proof, and only then JSON, its form, the repository, and
 * what it starts. 202 only after Temporal has the signal; before that nothing has been written anywhere.
 * Not its role: whether an event came before (the project's workflow), what a pipeline may do (compile).
 *
 * Invariants:
 *  H1 Nothing of a body is looked at before its proof holds for a project of that forge. A project without a secret takes none.
 *  H2 A wrong proof, a project that is not there and one without a secret answer alike.
 *  H3 Every delivery is answered before the forge gives up, with what became of it.
 */
import type { IncomingHttpHeaders } from 'node:http';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { DavitError } from '../../errors.ts';
import { skippedRecordName, type SkippedRecord } from '../../plan/model/records.ts';
import type { Trigger } from '../../plan/model/trigger.ts';
import type { WebhookAnswer } from '../api.ts';
import type { ServerDeps, WebhookProject } from '../deps.ts';
import { FairQueue } from '../webhooks/fair-queue.ts';
import { Budget, withRawBody } from '../webhooks/raw-body.ts';
import type { EventTrigger, ForgeEvent } from '../webhooks/event.ts';
import { githubEvent } from '../webhooks/github.ts';
import { gitlabEvent } from '../webhooks/gitlab.ts';
import { isForge, needsBody, proofOf, proves, type ForgeName } from '../webhooks/signature.ts';
import { sha256 } from '../../utils/sha256.ts';

const AT_ONCE = 128;
const WAITING = 10_000;
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
  readonly #gate = new FairQueue({ atOnce: AT_ONCE, waiting: WAITING });
  readonly #budget: Budget;

  constructor(deps: ServerDeps) {
    this.#deps = deps;
    this.#budget = new Budget(deps.limits.webhookTotalBytes);
  }

  async receive(request: FastifyRequest, reply: FastifyReply): Promise<WebhookAnswer> {
    const asked = params.safeParse(request.params);
    if (!asked.success)
      throw new DavitError('not-found', 'Deliveries go to /webhooks/{gitlab,github,gitea}.');
    const { forge, slug } = asked.data;
    const { headers, body } = request;
    const candidates = this.#deps.webhooks.filter(
      ({ project }) => project.forge === forge && (slug === undefined || project.name === slug),
    );
    const proof = proofOf(forge, headers);
    const check = (raw: Buffer): WebhookProject[] =>
      proof ? candidates.filter(({ secret }) => proves(forge, secret, { proof, raw })) : [];
    // What is wrong already is said before a body is read.
    if (!proof || candidates.length === 0 || (!needsBody(forge) && check(Buffer.alloc(0)).length === 0))
      throw this.#unproven(forge, slug);
    const { webhookBytes: maxBytes, webhookBodyMs: totalMs } = this.#deps.limits;
    const limits = { maxBytes, totalMs, budget: this.#budget, length: headers['content-length'] };
    return withRawBody(body, limits, async (raw) => {
      const proven = check(raw);
      if (proven.length === 0) throw this.#unproven(forge, slug);
      const event = readEvent(forge, headers, raw);
      if (event.kind === 'ignored') return this.#ignore(event, proven);
      return this.#start({ event, project: ofRepository(proven, event.repository), headers, raw, reply });
    });
  }

  /** A head that asked for no pipeline is noted, so that the reconciler does not take it for a lost delivery. */
  async #ignore(
    { reason, repository, skipped }: Extract<ForgeEvent, { kind: 'ignored' }>,
    proven: readonly WebhookProject[],
  ): Promise<WebhookAnswer> {
    const known = proven.find(({ project }) => sameRepository(project.repository, repository));
    if (known && skipped) {
      const name = skippedRecordName(known.project.name, sha256(skipped.ref));
      await this.#deps.records.put<SkippedRecord>(name, { sha: skipped.after });
    }
    return { ignored: reason };
  }

  async #start(of: {
    event: { trigger: EventTrigger };
    project: WebhookProject['project'];
    headers: IncomingHttpHeaders;
    raw: Buffer;
    reply: FastifyReply;
  }): Promise<WebhookAnswer> {
    const { event, project } = of;
    const now = Date.now();
    const trigger: Trigger = {
      ...event.trigger,
      project: project.name,
      deliveryId: deliveryId(of.headers, of.raw),
      defaultBranch: event.trigger.defaultBranch ?? project.default_branch,
      // The operator's address wins over what a payload says.
      cloneUrl: project.clone_url ?? event.trigger.cloneUrl,
      receivedAt: now,
    };
    const deadline = now + this.#deps.limits.webhookAnswerMs;
    await this.#gate.run(project.name, deadline, () =>
      this.#deps.workflows.trigger(trigger, Math.max(1, deadline - Date.now())),
    );
    void of.reply.code(202);
    return { key: trigger.key, project: project.name };
  }

  /** H2; the log says which it was. */
  #unproven(forge: ForgeName, slug: string | undefined): DavitError {
    this.#deps.log.warn('a delivery was refused: no project of this forge has such a secret', {
      forge,
      slug,
    });
    return new DavitError('webhook/signature', `The delivery is not signed for a project of ${forge}.`);
  }
}

/** Its form is checked by the forge's own schema; what does not fit is the sender's mistake, told without its content. */
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
        ? 'The delivery is no JSON.'
        : `The delivery lacks what its event has: ${where || 'an object'}.`,
      { cause: error },
    );
  }
}

/** Forges keep a repository's name whatever the case it is written in. */
function ofRepository(proven: readonly WebhookProject[], repository: string): WebhookProject['project'] {
  const found = proven.find(({ project }) => sameRepository(project.repository, repository));
  if (!found)
    throw new DavitError(
      'webhook/repository',
      'The delivery is about the repository of no project it is signed for.',
    );
  return found.project;
}

const sameRepository = (one: string | undefined, other: string | undefined): boolean =>
  one !== undefined && one.toLowerCase() === other?.toLowerCase();
/** Equal when a forge sends the same delivery again. A header that nobody signs, so never more than a hint to the workflow. */
function deliveryId(headers: IncomingHttpHeaders, raw: Buffer): string {
  const given = [
    headers['x-github-delivery'],
    headers['idempotency-key'],
    headers['x-gitlab-event-uuid'],
    headers['x-gitea-delivery'],
  ].find((value) => typeof value === 'string' && /^[A-Za-z0-9._:-]{1,128}$/.test(value));
  return typeof given === 'string' ? given : `body:${sha256(raw)}`;
}
