/** What workers ask about rights. Answers name no user that the question does not name. */
import type { FastifyInstance } from 'fastify';
import { BODIES, INTERNAL } from '../../adapters/http/wire.ts';
import { approvalsNow } from '../approvals.ts';
import type { ServerDeps } from '../deps.ts';
import { slugOf } from './params.ts';

export function internalRightsRoutes(app: FastifyInstance, deps: ServerDeps): void {
  const config = { access: 'worker' } as const;
  app.get(`${INTERNAL}/protection/:slug`, { config }, async ({ params }) => {
    const slug = slugOf(params);
    const project = deps.facts().config.projects.find((one) => one.name === slug);
    return { value: project && (await deps.protectionOf(project)) };
  });
  app.post(`${INTERNAL}/approvals`, { config }, async ({ body }) =>
    approvalsNow(deps, BODIES.approvals.parse(body)),
  );
}
