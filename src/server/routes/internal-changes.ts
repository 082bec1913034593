/** Control workers pass on what workflows tell. */
import type { FastifyInstance } from 'fastify';
import { BODIES, INTERNAL } from '../../adapters/http/wire.ts';
import type { ChangeBoard } from '../changes.ts';

export function internalChangeRoutes(app: FastifyInstance, changes: ChangeBoard): void {
  app.post(`${INTERNAL}/changes`, { config: { access: 'control' } }, async ({ body }) => {
    for (const change of BODIES.changes.parse(body).changes) changes.tell(change);
    return {};
  });
}
