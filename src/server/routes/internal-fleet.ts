/** Workers report themselves, and read the facts of the installation. */
import type { FastifyInstance } from 'fastify';
import { BODIES, INTERNAL } from '../../adapters/http/wire.ts';
import type { ServerDeps } from '../deps.ts';

export function internalFleetRoutes(app: FastifyInstance, { fleet, facts }: ServerDeps): void {
  const config = { access: 'worker' } as const;
  app.post(`${INTERNAL}/workers`, { config }, async ({ body, worker }) =>
    fleet.report(BODIES.report.parse(body), worker?.machine?.name),
  );
  app.post(`${INTERNAL}/workers/leave`, { config }, async ({ body }) => {
    await fleet.leave(BODIES.leave.parse(body).id);
    return {};
  });
  app.get(`${INTERNAL}/workers`, { config: { access: 'control' } }, async () => fleet.live());
  app.get(`${INTERNAL}/facts`, { config }, async ({ worker }) => {
    const machine = worker?.machine;
    const known = machine ? { ...facts(), worker: machine.name } : facts();
    if (!machine?.projects) return known;
    // Those of others have variables and addresses of their own.
    const projects = known.config.projects.filter(({ name }) => machine.projects?.includes(name));
    return { ...known, config: { ...known.config, projects } };
  });
}
