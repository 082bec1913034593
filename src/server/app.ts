/** The app without its listener: routes, access rules and error responses. Tests use `inject` on it. */
import fastify, { type FastifyInstance } from 'fastify';
import { guardRoutes } from './access.ts';
import { ChangeBoard } from './changes.ts';
import type { ServerDeps } from './deps.ts';
import { handleErrors } from './error-handler.ts';
import { auditRequests } from './audit/recorder.ts';
import { artifactRoutes } from './routes/artifacts.ts';
import { auditRoutes } from './routes/audit.ts';
import { blobRoutes } from './routes/blobs.ts';
import { codecRoutes } from './routes/codec.ts';
import { collectionRoutes } from './routes/collection.ts';
import { deliveryRoutes } from './routes/deliveries.ts';
import { deployTokenRoutes } from './routes/deploy-tokens.ts';
import { fleetRoutes } from './routes/fleet.ts';
import { gitRoutes } from './routes/git.ts';
import { internalAttemptRoutes } from './routes/internal-attempts.ts';
import { internalBlobRoutes } from './routes/internal-blobs.ts';
import { internalChangeRoutes } from './routes/internal-changes.ts';
import { internalCredentialRoutes } from './routes/internal-credentials.ts';
import { internalFleetRoutes } from './routes/internal-fleet.ts';
import { internalLogRoutes } from './routes/internal-logs.ts';
import { internalProofRoutes } from './routes/internal-proofs.ts';
import { internalRecordRoutes } from './routes/internal-records.ts';
import { internalRightsRoutes } from './routes/internal-rights.ts';
import { logRoutes } from './routes/logs.ts';
import { pageRoutes } from './routes/pages.ts';
import { pipelineRoutes } from './routes/pipelines.ts';
import { plainRoutes } from './routes/plain.ts';
import { projectRoutes } from './routes/projects.ts';
import { commitStatusRoutes } from './routes/commit-statuses.ts';
import { reconciliationRoutes } from './routes/reconciliation.ts';
import { registryTokenRoutes } from './routes/registry-token.ts';
import { viewRoutes } from './routes/view.ts';
import { webhookRoutes } from './routes/webhooks.ts';
import { workerTokenRoutes } from './routes/worker-tokens.ts';
import { attemptRules } from './attempts/attempt-rules.ts';
import { givenBlobs } from './attempts/given-blobs.ts';
import { openAttempts } from './attempts/open-attempts.ts';
import { DeliveryNotes } from './webhooks/delivery-notes.ts';
import { pipelineViews } from './views.ts';

/**
 * Responses are data: nothing in them may run, be framed or be cached. Sites of jobs, and the pages of `view`, override these headers.
 */
const HEADERS = {
  'x-content-type-options': 'nosniff',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'; sandbox",
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
} as const;

/** For all headers of a request. */
const HEADERS_MS = 20_000;

export function buildApp(deps: ServerDeps): FastifyInstance {
  const app = makeApp(deps);
  // First, so that refusals have them too.
  app.addHook('onRequest', async (_request, reply) => void reply.headers(HEADERS));
  guardRoutes(app, deps);
  auditRequests(app, deps);
  handleErrors(app, deps.log);
  app.addHook('onResponse', async (request, reply) =>
    deps.log.request({
      method: request.method,
      route: request.routeOptions.url ?? 'no route',
      status: reply.statusCode,
      ms: Math.round(reply.elapsedTime),
      user: request.user?.name,
    }),
  );
  // Bytes are passed on as a stream; each route limits them itself.
  app.addContentTypeParser('application/octet-stream', (_request, payload, done) => done(null, payload));
  const changes = new ChangeBoard();
  const views = pipelineViews(deps, changes);
  for (const routes of [
    plainRoutes,
    fleetRoutes,
    reconciliationRoutes,
    commitStatusRoutes,
    collectionRoutes,
    auditRoutes,
    codecRoutes,
    blobRoutes,
    pageRoutes,
    registryTokenRoutes,
    deployTokenRoutes,
    gitRoutes,
    workerTokenRoutes,
  ])
    routes(app, deps);
  const notes = new DeliveryNotes(deps);
  webhookRoutes(app, deps, notes);
  deliveryRoutes(app, deps, notes);
  projectRoutes(app, deps, changes);
  internalChangeRoutes(app, changes);
  for (const routes of [pipelineRoutes, logRoutes, artifactRoutes, viewRoutes]) routes(app, deps, views);
  const open = openAttempts(deps);
  const rules = attemptRules(deps, { views, open, given: givenBlobs(deps, views) });
  internalAttemptRoutes(app, deps, { views, open });
  for (const routes of [
    internalBlobRoutes,
    internalRecordRoutes,
    internalLogRoutes,
    internalRightsRoutes,
    internalCredentialRoutes,
  ])
    routes(app, deps, rules);
  internalFleetRoutes(app, deps);
  internalProofRoutes(app, deps, views);
  app.addHook('onClose', async () => {
    await notes.close();
    views.close();
  });
  return app;
}

function makeApp({ tls, proxies }: ServerDeps): FastifyInstance {
  const common = {
    logger: false,
    exposeHeadRoutes: false,
    bodyLimit: 1_024 * 1_024,
    routerOptions: { maxParamLength: 1_024 },
    forceCloseConnections: true,
    // Whose headers about the client's address are believed.
    trustProxy: proxies.length > 0 && [...proxies],
  } as const;
  const limits = { headersTimeout: HEADERS_MS };
  return tls ? fastify({ ...common, https: { ...tls, ...limits } }) : fastify({ ...common, http: limits });
}
