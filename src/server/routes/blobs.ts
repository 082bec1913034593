/** Blobs for people, such as the working tree of `davit run`. */
import type { FastifyInstance } from 'fastify';
import { streamOf } from '../body-limit.ts';
import type { ServerDeps } from '../deps.ts';
import { digestOf } from './params.ts';

export function blobRoutes(app: FastifyInstance, { blobs, limits }: ServerDeps): void {
  app.post('/api/v1/blobs', { config: { access: 'developer' } }, async ({ body }) =>
    blobs.putStream(streamOf(body, { maxBytes: limits.userBlobBytes, idleMs: limits.idleMs })),
  );
  // By its digest a blob has no owner: artifacts that a job keeps from people, sources and specs are there
  // too.
  app.get('/api/v1/blobs/:digest', { config: { access: 'operator' } }, async ({ params }, reply) =>
    reply
      .header('content-disposition', 'attachment')
      .type('application/octet-stream')
      .send(await blobs.getStream(digestOf(params))),
  );
}
