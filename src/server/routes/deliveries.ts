/** What forges delivered, and what was made of it: for the developers of the projects. */
import type { FastifyInstance } from 'fastify';
import type { DeliveriesPage, Delivery } from '../../plan/model/delivery.ts';
import type { ServerDeps } from '../deps.ts';
import type { DeliveryNotes } from '../webhooks/delivery-notes.ts';
import { shownDelivery } from '../webhooks/delivery-result.ts';
import { listQueryOf, missing } from './params.ts';

/** Results that are looked up at the same time. */
const WIDTH = 8;

export function deliveryRoutes(app: FastifyInstance, deps: ServerDeps, notes: DeliveryNotes): void {
  app.get('/api/v1/deliveries', { config: { access: 'developer' } }, async ({ query }) => {
    const { project, limit } = listQueryOf(query);
    const names = deps.facts().config.projects.map(({ name }) => name);
    if (project !== undefined && !names.includes(project)) throw missing(`There is no project ${project}.`);
    const asked = project === undefined ? names : [project];
    const read = await Promise.all(asked.map((name) => deps.deliveries.read(name, limit)));
    const newest = read
      .flat()
      .toSorted((a, b) => b.at - a.at)
      .slice(0, limit);
    const unsigned = (await notes.unsigned()).filter(
      (one) => project === undefined || one.project === undefined || one.project === project,
    );
    const page: DeliveriesPage = { deliveries: await shown(deps, newest), unsigned };
    return page;
  });
}

async function shown(deps: ServerDeps, entries: readonly Delivery[]): Promise<DeliveriesPage['deliveries']> {
  const found: DeliveriesPage['deliveries'] = [];
  for (let at = 0; at < entries.length; at += WIDTH)
    found.push(
      ...(await Promise.all(entries.slice(at, at + WIDTH).map((entry) => shownDelivery(deps, entry)))),
    );
  return found;
}
