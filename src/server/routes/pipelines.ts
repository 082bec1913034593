/** Pipelines for people: status, decisions, cancellation. */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { DavitError } from '../../errors.ts';
import type { PipelineId } from '../../plan/model/ids.ts';
import type { PipelineStatus } from '../../plan/model/protocol.ts';
import { ownPipeline, userOf } from '../access.ts';
import type { StartResponse } from '../api.ts';
import { triggerAgain } from '../new-trigger.ts';
import { retryPipeline } from '../retry-pipeline.ts';
import { submitDecision } from '../submit-decision.ts';
import type { ServerDeps } from '../deps.ts';
import { eventStream } from '../events.ts';
import type { Views } from '../views.ts';
import { withStatusProblem } from './commit-statuses.ts';
import { listQueryOf, pipelineOf, requestKey } from './params.ts';

const decisionBody = z.strictObject({
  action: z.enum(['play', 'reject', 'retry', 'cancelJob']),
  job: z.string().min(1).max(1_024),
  comment: z.string().max(2_000).optional(),
  confirm: z.boolean().optional(),
});

const retryBody = z.strictObject({ comment: z.string().max(2_000).optional() });
const againBody = z.strictObject({ key: requestKey });
const START_MS = 8_000;

export function pipelineRoutes(app: FastifyInstance, deps: ServerDeps, views: Views): void {
  const reader = { config: { access: 'reader' } } as const;
  const developer = { config: { access: 'developer' } } as const;
  app.get('/api/v1/pipelines', reader, async ({ query }) => views.list(listQueryOf(query)));
  app.get('/api/v1/pipelines/:slug/:iid', { config: { access: 'reader', jobs: true } }, async (request) => {
    const id = pipelineOf(request.params);
    ownPipeline(request, id);
    return withStatusProblem(deps, await views.status(id));
  });
  app.get('/api/v1/pipelines/:slug/:iid/events', reader, async ({ params }, reply) => {
    const id = pipelineOf(params);
    await views.status(id);
    followStatus(reply, views, id);
  });
  app.post('/api/v1/pipelines/:slug/:iid/decisions', developer, async (request) => {
    const id = pipelineOf(request.params);
    // The actor is the user of the token, never a field of the request.
    const { name: actor, role } = userOf(request);
    const decision = { ...decisionBody.parse(request.body), actor, role };
    const answer = await submitDecision(deps, views, { id, decision });
    if (answer.accepted) return answer;
    throw new DavitError(answer.code, answer.message);
  });
  app.post('/api/v1/pipelines/:slug/:iid/retry', developer, async (request) => {
    const { comment } = retryBody.parse(request.body ?? {});
    return retryPipeline(deps, views, { id: pipelineOf(request.params), user: userOf(request), comment });
  });
  app.post('/api/v1/pipelines/:slug/:iid/again', developer, async (request, reply) => {
    const { key } = againBody.parse(request.body);
    const trigger = await triggerAgain(deps, pipelineOf(request.params), { key, user: userOf(request) });
    await deps.workflows.trigger(trigger, START_MS);
    const answer: StartResponse = { key, project: trigger.project };
    return reply.code(202).send(answer);
  });
  app.post('/api/v1/pipelines/:slug/:iid/cancel', developer, async (request) => {
    const id = pipelineOf(request.params);
    const { name: actor, role } = userOf(request);
    const answer = await deps.workflows.cancel(id, { actor, role });
    views.touch(id);
    if (answer === 'accepted') return { accepted: true };
    const status = await views.status(id);
    throw new DavitError(
      'pipeline/ended',
      `The pipeline ${id} has already ended (${status.state === 'canceled' ? 'cancelled' : status.state}).`,
    );
  });
}

/** Sends only the latest status to a slow reader and drops the ones in between. */
function followStatus(reply: Parameters<typeof eventStream>[0], views: Views, id: PipelineId): void {
  const events = eventStream(reply);
  let next: PipelineStatus | undefined;
  let sending = false;
  const pump = async (): Promise<void> => {
    if (sending) return;
    sending = true;
    try {
      for (let status = next; status; status = next) {
        next = undefined;
        await events.send('status', status);
      }
    } catch {
      // The reader is gone; `gone` has ended the watch.
    } finally {
      sending = false;
    }
  };
  const stop = views.watch(id, (status) => {
    next = status;
    void pump();
  });
  events.gone.addEventListener('abort', stop, { once: true });
}
