/** Blobs for workers. */
import type { FastifyInstance } from 'fastify';
import { BYTES_TYPE, INTERNAL } from '../../adapters/http/wire.ts';
import { streamOf } from '../body-limit.ts';
import type { ServerDeps } from '../deps.ts';
import type { MachineRules } from '../machine-rules.ts';
import { digestOf } from './params.ts';

export function internalBlobRoutes(
  app: FastifyInstance,
  { blobs, limits }: ServerDeps,
  rules: MachineRules,
): void {
  const config = { access: 'worker' } as const;
  app.put(`${INTERNAL}/blobs`, { config }, async ({ body }) =>
    blobs.putStream(streamOf(body, { maxBytes: limits.workerBlobBytes, idleMs: limits.idleMs })),
  );
  app.get(`${INTERNAL}/blobs/:digest`, { config }, async ({ params, machine }, reply) =>
    reply.type(BYTES_TYPE).send(await rules.blob(machine, digestOf(params))),
  );
  app.head(`${INTERNAL}/blobs/:digest`, { config }, async ({ params }, reply) =>
    reply.code((await blobs.has(digestOf(params))) ? 200 : 404).send(),
  );
}
