/** A collection on request, for `davit doctor --fix`, and what uses the disk, for `davit disk`. */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { collectOnce } from '../collection.ts';
import type { ShownImages } from '../../adapters/ports.ts';
import type { ServerDeps } from '../deps.ts';

const body = z.strictObject({ dryRun: z.boolean() });

export function collectionRoutes(app: FastifyInstance, deps: ServerDeps): void {
  app.post('/api/v1/collection', { config: { access: 'operator' } }, async (request) =>
    collectOnce(deps, body.parse(request.body).dryRun),
  );
  app.get('/api/v1/usage', { config: { access: 'operator' } }, () => deps.usage());
  app.get('/api/v1/usage/images', { config: { access: 'operator' } }, () => imagesOf(deps));
}

/** Another registry says nothing that davit could add up: who uses it beside davit is not known. */
async function imagesOf({ images, ownRegistry, facts }: ServerDeps): Promise<ShownImages> {
  const { registries } = facts().config;
  const others = registries.map(({ host }) => host).filter((host) => host !== ownRegistry?.host);
  if (!images) return { others };
  return { own: await images.usage(), others };
}
