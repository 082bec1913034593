/** Records for workers. */
import type { FastifyInstance } from 'fastify';
import { BODIES, INTERNAL } from '../../adapters/http/wire.ts';
import type { ServerDeps } from '../deps.ts';

export function internalRecordRoutes(app: FastifyInstance, { records }: ServerDeps): void {
  const config = { access: 'worker' } as const;
  app.post(`${INTERNAL}/records/put-if-absent`, { config }, async ({ body }) => {
    const { name, value } = BODIES.putRecord.parse(body);
    return records.putIfAbsent(name, value);
  });
  app.post(`${INTERNAL}/records/put`, { config }, async ({ body }) => {
    const { name, value } = BODIES.putRecord.parse(body);
    await records.put(name, value);
    return {};
  });
  app.post(`${INTERNAL}/records/get`, { config }, async ({ body }) => ({
    value: await records.get<unknown>(BODIES.getRecord.parse(body).name),
  }));
  app.post(`${INTERNAL}/records/list`, { config }, async ({ body }) => {
    const { prefix, limit } = BODIES.listRecords.parse(body);
    return records.list(prefix, limit);
  });
  app.post(`${INTERNAL}/records/allocate`, { config }, async ({ body }) => {
    const { counter, claim, count } = BODIES.allocate.parse(body);
    return { first: await records.allocate(counter, claim, count) };
  });
}
