/** Blobs for attempts and control workers. */
import type { FastifyInstance } from 'fastify';
import { BYTES_TYPE, INTERNAL } from '../../adapters/http/wire.ts';
import type { AttemptRules } from '../attempts/attempt-rules.ts';
import { streamOf } from '../body-limit.ts';
import type { ServerDeps } from '../deps.ts';
import { digestOf } from './params.ts';

export function internalBlobRoutes(
  app: FastifyInstance,
  { blobs, limits }: ServerDeps,
  rules: AttemptRules,
): void {
  const config = { access: 'attempt' } as const;
  app.put(`${INTERNAL}/blobs`, { config }, async ({ body, attempt }) => {
    if (attempt) await rules.upload(attempt);
    return blobs.putStream(streamOf(body, { maxBytes: limits.workerBlobBytes, idleMs: limits.idleMs }));
  });
  app.get(`${INTERNAL}/blobs/:digest`, { config }, async ({ params, attempt }, reply) => {
    const digest = digestOf(params);
    const bytes = attempt ? rules.blob(attempt, digest) : blobs.getStream(digest);
    return reply.type(BYTES_TYPE).send(await bytes);
  });
  app.head(`${INTERNAL}/blobs/:digest`, { config }, async ({ params }, reply) =>
    reply.code((await blobs.has(digestOf(params))) ? 200 : 404).send(),
  );
}
