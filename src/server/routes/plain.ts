/** Routes without a token, the workers, and where Temporal's UI is. */
import type { FastifyInstance } from 'fastify';
import type { Health, TemporalPlace } from '../api.ts';
import type { ServerDeps } from '../deps.ts';

export function plainRoutes(app: FastifyInstance, deps: ServerDeps): void {
  app.get('/healthz', { config: { access: 'anybody' } }, async (): Promise<Health> => {
    const up = await deps.workflows.healthy();
    return {
      ok: up,
      version: deps.version,
      temporal: up ? 'up' : 'down',
      installation: deps.facts().installation,
    };
  });
  app.get(
    '/api/v1/temporal',
    { config: { access: 'reader' } },
    async (): Promise<TemporalPlace> => deps.temporal,
  );
  app.get('/api/v1/workers', { config: { access: 'reader' } }, async () => deps.fleet.live());
}
