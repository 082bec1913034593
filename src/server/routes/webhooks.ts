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
import type { Delivery, UnsignedDeliveries } from '../../plan/model/delivery.ts';
import type { Trigger } from '../../plan/model/trigger.ts';
import type { WebhookResponse } from '../api.ts';
import type { ServerDeps, WebhookProject } from '../deps.ts';
import { FairQueue } from '../webhooks/fair-queue.ts';
import { Budget, withRawBody } from '../webhooks/raw-body.ts';
import type { DeliveryNotes } from '../webhooks/delivery-notes.ts';
import type { EventTrigger, ForgeEvent } from '../webhooks/event.ts';
import { deliveryId, eventName, isForm, JSON_HINT, readEvent } from '../webhooks/read-event.ts';
import { isForge, needsBody, proofOf, proves, type ForgeName } from '../webhooks/signature.ts';
import { sha256 } from '../../utils/sha256.ts';

const MAX_RUNNING = 128;
const MAX_WAITING = 10_000;
const params = z.object({ forge: z.string().refine(isForge), slug: z.string().max(64).optional() });

export function webhookRoutes(app: FastifyInstance, deps: ServerDeps, notes: DeliveryNotes): void {
  const receiver = new Receiver(deps, notes);
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
  readonly #notes: DeliveryNotes;

  constructor(deps: ServerDeps, notes: DeliveryNotes) {
    this.#deps = deps;
    this.#notes = notes;
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
      throw this.#unproven(
        { forge, slug, headers },
        !proof ? 'no signature' : candidates.length === 0 ? 'no project with a secret' : 'wrong signature',
      );
    const { webhookBytes: maxBytes, webhookBodyMs: totalMs } = this.#deps.limits;
    const limits = { maxBytes, totalMs, budget: this.#budget, length: headers['content-length'] };
    return withRawBody(body, limits, async (raw) => {
      const proven = check(raw);
      const wrong = isForm(headers) ? 'a form and not JSON' : 'wrong signature';
      if (proven.length === 0) throw this.#unproven({ forge, slug, headers }, wrong);
      const about: About = {
        at: Date.now(),
        forge,
        event: eventName(forge, headers),
        delivery: deliveryId(headers, raw),
      };
      try {
        const event = readEvent(forge, headers, raw);
        if (event.kind === 'ignored') return await this.#ignore(event, proven, about);
        return await this.#start({ event, project: ofRepository(proven, event.repository), about, reply });
      } catch (error) {
        // The reason is noted with what is known of the event so far.
        const [first] = proven;
        if (error instanceof DavitError && first)
          this.#notes.note({
            project: first.project.name,
            ...about,
            answer: 'refused',
            reason: error.message,
          });
        throw error;
      }
    });
  }

  /**
   * Records a head that requests no pipeline, so that the reconciler does not treat it as a lost delivery, and tells the
   * project about a ref that is gone.
   */
  async #ignore(
    { reason, repository, skipped, deleted, gone, about: more }: Extract<ForgeEvent, { kind: 'ignored' }>,
    proven: readonly WebhookProject[],
    about: About,
  ): Promise<WebhookResponse> {
    const known = proven.find(({ project }) => sameRepository(project.repository, repository));
    if (known && skipped) {
      const name = skippedRecordName(known.project.name, sha256(skipped.ref));
      await this.#deps.records.put<SkippedRecord>(name, { sha: skipped.after });
    }
    if (known && (deleted || gone)) {
      const { name } = known.project;
      const { at, delivery: deliveryId } = about;
      const { workflows, limits } = this.#deps;
      const deadline = at + limits.webhookAnswerMs;
      const left = (): number => Math.max(1, deadline - Date.now());
      await this.#gate.run(name, deadline, async () => {
        if (deleted) await workflows.refDeleted(name, { ...deleted, deliveryId }, left());
        if (gone) await workflows.stopRef(name, { ...gone, at }, left());
      });
    }
    const of = known ?? (repository === undefined ? proven[0] : undefined);
    if (of) this.#notes.note({ project: of.project.name, ...about, ...more, answer: 'ignored', reason });
    return { ignored: reason };
  }

  async #start(delivery: {
    event: { trigger: EventTrigger };
    project: WebhookProject['project'];
    about: About;
    reply: FastifyReply;
  }): Promise<WebhookResponse> {
    const { event, project, about, reply } = delivery;
    const { at: now } = about;
    const trigger: Trigger = {
      ...event.trigger,
      project: project.name,
      deliveryId: about.delivery,
      defaultBranch: event.trigger.defaultBranch ?? project.default_branch,
      // The operator's address has precedence over that of the payload.
      cloneUrl: project.clone_url ?? event.trigger.cloneUrl,
      receivedAt: now,
    };
    const { ref, sha, actor: sender, key } = trigger;
    Object.assign(about, { ref, sha, sender });
    const deadline = now + this.#deps.limits.webhookAnswerMs;
    await this.#gate.run(project.name, deadline, () =>
      this.#deps.workflows.trigger(trigger, Math.max(1, deadline - Date.now())),
    );
    this.#notes.note({ project: project.name, ...about, answer: 'accepted', key });
    void reply.code(202);
    return { key: trigger.key, project: project.name };
  }

  /** WEBHOOK-2; the log has the details. */
  #unproven(
    { forge, slug, headers }: { forge: ForgeName; slug: string | undefined; headers: IncomingHttpHeaders },
    lastReason: UnsignedDeliveries['lastReason'],
  ): DavitError {
    const known = this.#deps.facts().config.projects.find(({ name }) => name === slug)?.name;
    this.#notes.countUnsigned({
      forge,
      ...(known !== undefined && { project: known }),
      lastAt: Date.now(),
      lastReason,
    });
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

/** What is noted of a delivery, whatever becomes of it. */
type About = Omit<Delivery, 'project' | 'answer'>;

const sameRepository = (one: string | undefined, other: string | undefined): boolean =>
  one !== undefined && one.toLowerCase() === other?.toLowerCase();
