/** What workers ask about rights. Answers name no user that the question does not name. */
import type { FastifyInstance } from 'fastify';
import { BODIES, INTERNAL } from '../../adapters/http/wire.ts';
import { approvalsNow } from '../approvals.ts';
import type { AttemptRules } from '../attempts/attempt-rules.ts';
import type { ServerDeps } from '../deps.ts';
import { slugOf } from './params.ts';

export function internalRightsRoutes(app: FastifyInstance, deps: ServerDeps, rules: AttemptRules): void {
  const config = { access: 'control' } as const;
  app.get(`${INTERNAL}/protection/:slug`, { config }, async ({ params }) => {
    const slug = slugOf(params);
    const project = deps.facts().config.projects.find((one) => one.name === slug);
    return { value: project && (await deps.protectionOf(project)) };
  });
  app.post(`${INTERNAL}/approvals`, { config: { access: 'attempt' } }, async ({ body, attempt }) => {
    const question = BODIES.approvals.parse(body);
    if (attempt) rules.approvals(attempt, question);
    return approvalsNow(deps, question);
  });
}
